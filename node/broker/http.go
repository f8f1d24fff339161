package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// health is nil while the broker is registered in ZooKeeper and serves; otherwise it says what is the matter.
func (b *Broker) health() error {
	switch in := b.registration.in(); {
	case in == 0:
		return errors.New("not registered yet")
	case b.zk.current() != in:
		return errors.New("no connection to ZooKeeper in the session that the broker is registered in")
	}
	return nil
}

// http serves /metrics and /healthz.
func (b *Broker) http() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics{b}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	registry.MustRegister(b.requests.all()...)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if err := b.health(); err != nil {
			http.Error(w, fmt.Sprintf("broker %d: %v", b.settings.BrokerID, err), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "broker %d serves\n", b.settings.BrokerID)
	})
	return mux
}

// serveHTTP serves until ctx ends.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
