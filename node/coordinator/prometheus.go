package coordinator

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// prometheusProvider is the class that a zoo.cfg names to have metrics served over HTTP.
const prometheusProvider = "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider"

// collector gives Prometheus the node's metrics as they are when it asks, by Apache's names.
type collector struct{ server *Server }

// Describe implements [prometheus.Collector]: which metrics there are depends on the node's role.
func (c collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (c collector) Collect(out chan<- prometheus.Metric) {
	if !c.server.isUp() {
		return
	}
	c.server.mu.RLock()
	defer c.server.mu.RUnlock()
	for _, m := range c.server.metrics() {
		var value float64
		switch v := m.value.(type) {
		case int64:
			value = float64(v)
		case float64:
			value = v
		default:
			continue
		}
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(m.name, m.name, nil, nil), prometheus.GaugeValue, value)
	}
}

// prometheus serves /metrics.
func (s *Server) prometheus() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{s}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux
}
