package broker

import (
	"maps"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/wire"
)

// Every request has a guard, or asks the rules itself, or may be asked by everybody.
func TestEveryRequestIsGuarded(t *testing.T) {
	asksItself := []int16{1, 3, 20, 38, 39, 40, 41, 60}
	forEverybody := []int16{17, 18, 36} // who one is comes before what one may
	refusedAnyway := []int16{68, 69}    // need the new groups of Kafka 4
	guards := map[int16]guard{}
	for _, more := range []map[int16]guard{clusterGuards(), topicGuards(), groupGuards(), transactionGuards()} {
		for key := range more {
			if guards[key] != nil {
				t.Errorf("%s has two guards", kmsg.NameForKey(key))
			}
		}
		maps.Copy(guards, more)
	}
	notHere := []int16{58} // Envelope is not implemented
	for _, api := range wire.Versions(func(int16) bool { return true }) {
		other := slices.Contains(slices.Concat(asksItself, forEverybody, refusedAnyway, notHere), api.Key)
		if guarded := guards[api.Key] != nil; guarded == other {
			t.Errorf("%s: guarded %v, otherwise %v", kmsg.NameForKey(api.Key), guarded, other)
		}
	}
}
