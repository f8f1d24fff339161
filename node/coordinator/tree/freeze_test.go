package tree

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"kdrill/node/coordinator/proto"
)

func encoded(f Frozen) []byte {
	var b bytes.Buffer
	e := proto.NewWriter(&b)
	f.Encode(e)
	e.Flush()
	return b.Bytes()
}

// While changes go on, what is frozen is written by other goroutines, as it was: each says what the tree said then.
func TestAFrozenTreeStaysAsItWas(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	tree, known := New(nil), []string{"/"}
	var writing sync.WaitGroup
	defer writing.Wait()
	for step := range 6000 {
		x := tree.Begin(int64(step), int64(step), nil)
		path := known[random.IntN(len(known))]
		switch random.IntN(8) {
		case 0, 1, 2, 3:
			flags := int32(0)
			if random.IntN(5) == 0 {
				flags = proto.FlagEphemeral
			}
			below := fmt.Sprintf("%s/%c%d", strings.TrimSuffix(path, "/"), "a-0~"[random.IntN(4)], step)
			if _, _, code := x.Create(below, []byte(path), proto.Anyone(), flags, int64(random.IntN(9)+1)); code == proto.OK {
				known = append(known, below)
			}
		case 4:
			x.SetData(path, fmt.Append(nil, step), -1)
		case 5:
			x.Delete(path, -1)
		case 6:
			x.SetACL(path, []proto.ACL{{Perms: proto.PermAll, ID: proto.ID{Scheme: "ip", ID: "127.0.0.1"}}}, -1)
		case 7:
			x.DropSession(int64(random.IntN(9) + 1))
		}
		if random.IntN(4) == 0 {
			x.Rollback()
		}
		if step%300 == 0 {
			frozen, want := tree.Freeze(), dump(tree)
			writing.Go(func() {
				restored, err := Decode(proto.NewReader(bytes.NewReader(encoded(frozen))))
				if err != nil {
					t.Error(err)
				} else if got := dump(restored); !maps.Equal(got, want) {
					t.Errorf("step %d: %d znodes, want %d, or they differ", step, len(got), len(want))
				}
			})
		}
	}
}

// The tree knows children, their number, what is below and its size; each follows from the paths alone.
func TestWhatTheTreeKnowsFollowsFromItsPaths(t *testing.T) {
	tree := New(nil)
	for _, path := range []string{"/a", "/a-", "/a/b", "/a/b-c", "/a/b/x", "/a/b/y", "/a/b0", "/a/c", "/a0", "/a0/b", "/b", "/~"} {
		x := tree.Begin(1, 1, nil)
		if _, _, code := x.Create(path, []byte(path), proto.Anyone(), 0, 0); code != proto.OK {
			t.Fatal(path, code)
		}
	}
	paths, size := tree.nodes.Keys(), int64(0)
	for _, path := range paths {
		var children []string
		descendants := 0
		for _, other := range paths {
			rest, below := strings.CutPrefix(other, strings.TrimSuffix(path, "/")+"/")
			if !below || rest == "" {
				continue
			}
			if descendants++; !strings.Contains(rest, "/") {
				children = append(children, rest)
			}
		}
		slices.Sort(children)
		names, stat, _ := tree.Children(path)
		if !slices.Equal(names, children) || int(stat.NumChildren) != len(children) || tree.Descendants(path) != descendants {
			t.Errorf("%s: %v %+v, %d below; want %v, %d", path, names, stat, tree.Descendants(path), children, descendants)
		}
		data, _, _ := tree.Data(path)
		size += int64(len(path) + len(data))
	}
	if tree.Size() != size {
		t.Errorf("size %d, want %d", tree.Size(), size)
	}
}
