package compare

import (
	"os"
	"testing"

	"kdrill/testdata/need"
)

// BenchmarkUp measures how long three coordinators and three brokers take until all serve, and the memory of the six
// processes, for each engine.
func BenchmarkUp(b *testing.B) {
	for name, engine := range map[string]string{"embedded": "embedded", "apache-" + need.Kafka3: "apache"} {
		b.Run(name, func(b *testing.B) {
			jars := need.Kafka(b, need.Kafka3)
			var rss int64
			for b.Loop() {
				b.StopTimer()
				c := &local{t: b, env: append(os.Environ(), "XDG_STATE_HOME="+b.TempDir())}
				c.run("engine", "add", jars)
				b.StartTimer()
				c.run("up", "--engine", engine, "--timeout", "10m")
				b.StopTimer()
				rss = 0
				for _, n := range c.status().Nodes {
					rss += n.RSS
				}
				c.run("down", "--purge", "--yes")
				b.StartTimer()
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/ready")
			b.ReportMetric(float64(rss)/1e6, "MB-rss")
			b.ReportMetric(0, "ns/op")
		})
	}
}
