package broker

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

func TestConfigurationsThatCouldNotBeReadAreReadLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		changed := make(chan string, 1)
		c := newTopicConfigs(nil, func(topic string) { changed <- topic }, nil, slog.New(slog.DiscardHandler))
		back := time.Now().Add(time.Minute) // when ZooKeeper answers again
		c.read = func(ctx context.Context, topic string) (map[string]string, error) {
			select {
			case <-time.After(time.Until(back)):
				return map[string]string{"min.insync.replicas": "2"}, nil
			case <-ctx.Done():
				return nil, errors.New("no connection")
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go c.catchUp(ctx)
		limit, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		topics := map[string]bool{"orders": true}
		if err := c.Load(limit, topics); err == nil {
			t.Fatal("loaded")
		}
		c.LoadLater(topics)
		if topic := <-changed; topic != "orders" || c.Overrides("orders")["min.insync.replicas"] != "2" || time.Now().Before(back) {
			t.Errorf("%s has %v", topic, c.Overrides("orders"))
		}
	})
}
