package cmd

import (
	"fmt"

	"kdrill/admin"
)

// warn names on standard error the brokers that did not answer: what depends on them is missing above.
func (a *app) warn(s *admin.Snapshot) {
	for _, b := range s.Brokers {
		switch {
		case b.Error != "":
			fmt.Fprintf(a.err, "kdrill: broker-%d %s\n", b.ID, b.Error)
		case !b.Registered:
			fmt.Fprintf(a.err, "kdrill: broker-%d is not a member of the cluster now\n", b.ID)
		}
	}
}
