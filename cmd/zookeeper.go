package cmd

import (
	"context"

	"kdrill/admin/znodes"
	"kdrill/tui"
)

// zookeeper is the console's way to znodes: what browses has a session of its own, and so has each deed, so that nothing is
// left on the coordinators when nobody looks.
type zookeeper struct{ cfg znodes.Config }

// browser is a browser that closes its session when it ends.
type browser struct {
	*znodes.Browser
	client *znodes.Client
}

// Run implements [tui.Browser].
func (b browser) Run(ctx context.Context) error {
	defer b.client.Close()
	return b.Browser.Run(ctx)
}

// The methods are those of [tui.Znodes].

func (z zookeeper) Browse(spec znodes.Spec) (tui.Browser, error) {
	client, err := znodes.Open(z.cfg)
	if err != nil {
		return nil, err
	}
	b := browser{client.Browse(), client}
	b.Show(spec)
	return b, nil
}

// with does something over a session.
func (z zookeeper) with(ctx context.Context, do func(*znodes.Client) error) error {
	client, err := znodes.Dial(ctx, z.cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	return do(client)
}

func (z zookeeper) Subtree(ctx context.Context, path string) (n int, whole bool, err error) {
	err = z.with(ctx, func(c *znodes.Client) error {
		paths, all, err := c.Subtree(ctx, path, znodes.MostDeleted)
		n, whole = len(paths), all
		return err
	})
	return n, whole, err
}

func (z zookeeper) CreateZnode(ctx context.Context, path string, data []byte, sequential bool) (created string, err error) {
	err = z.with(ctx, func(c *znodes.Client) (err error) {
		created, err = c.Create(ctx, path, data, sequential)
		return err
	})
	return created, err
}

func (z zookeeper) SetZnode(ctx context.Context, path string, data []byte, version int32) error {
	return z.with(ctx, func(c *znodes.Client) error {
		_, err := c.Set(ctx, path, data, version)
		return err
	})
}

func (z zookeeper) DeleteZnode(ctx context.Context, path string, version int32, recursive bool) (deleted int, err error) {
	err = z.with(ctx, func(c *znodes.Client) (err error) {
		if recursive {
			deleted, err = c.DeleteAll(ctx, path)
			return err
		}
		deleted = 1
		return c.Delete(ctx, path, version)
	})
	return deleted, err
}
