package apache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Store remembers the distributions of a user. Each has a folder of its name with entry.yaml and, if it came as an
// archive, kafka/.
type Store struct{ dir string }

// NewStore returns the store in a folder, which need not exist.
func NewStore(dir string) Store { return Store{dir: dir} }

const (
	entryFile = "entry.yaml"
	unpackDir = "kafka"
)

// Add remembers the Kafka in a folder, or unpacks the archive of one. An archive must have the SHA-512 that is given.
func (s Store) Add(source, sha512 string) (Distribution, error) {
	info, err := os.Stat(source)
	if errors.Is(err, fs.ErrNotExist) {
		return Distribution{}, fmt.Errorf("%s is not there: download Kafka from kafka.apache.org/downloads and name the archive or its folder", source)
	}
	if err != nil {
		return Distribution{}, err
	}
	if info.IsDir() && sha512 != "" {
		return Distribution{}, fmt.Errorf("--sha512 is that of an archive, and %s is a folder", source)
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return Distribution{}, err
	}
	draft, err := os.MkdirTemp(s.dir, ".adding-")
	if err != nil {
		return Distribution{}, err
	}
	defer os.RemoveAll(draft)
	var d Distribution
	if info.IsDir() {
		d, err = Inspect(source)
	} else {
		d, err = openArchive(source, sha512, filepath.Join(draft, unpackDir))
	}
	if err != nil {
		return Distribution{}, err
	}
	if have, err := s.Get(d.Name); err == nil {
		return Distribution{}, fmt.Errorf("%s is there already, in %s: kdrill engine remove %s first", d.Name, have.Folder, d.Name)
	}
	entry, err := yaml.Marshal(d)
	if err != nil {
		return Distribution{}, err
	}
	if err := os.WriteFile(filepath.Join(draft, entryFile), entry, 0o644); err != nil {
		return Distribution{}, err
	}
	place := filepath.Join(s.dir, d.Name)
	if err := errors.Join(os.RemoveAll(place), os.Chmod(draft, 0o755), os.Rename(draft, place)); err != nil {
		return Distribution{}, err
	}
	return s.Get(d.Name)
}

func openArchive(archive, sha512, folder string) (Distribution, error) {
	sum, err := checkSum(archive, sha512)
	if err != nil {
		return Distribution{}, err
	}
	if err := os.Mkdir(folder, 0o755); err != nil {
		return Distribution{}, err
	}
	if err := unpack(archive, folder); err != nil {
		return Distribution{}, err
	}
	d, err := Inspect(folder)
	if err != nil {
		return d, errors.New(strings.ReplaceAll(err.Error(), folder, archive))
	}
	d.Unpacked, d.SHA512 = true, sum
	return d, nil
}

// Get returns a distribution by name, as it is on disk now.
func (s Store) Get(name string) (Distribution, error) {
	place := filepath.Join(s.dir, name)
	data, err := os.ReadFile(filepath.Join(place, entryFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Distribution{}, fmt.Errorf("no engine %s: kdrill engine list shows what there is, kdrill engine add FOLDER|ARCHIVE adds one", name)
	}
	if err != nil {
		return Distribution{}, err
	}
	var entry Distribution
	if err := yaml.Unmarshal(data, &entry); err != nil {
		return Distribution{}, fmt.Errorf("%s: %w", filepath.Join(place, entryFile), err)
	}
	if entry.Unpacked {
		entry.Folder = filepath.Join(place, unpackDir)
	}
	d, err := Inspect(entry.Folder)
	if err == nil && d.Version != entry.Version {
		err = fmt.Errorf("%s holds Kafka %s now", entry.Folder, d.Version)
	}
	d.Name, d.Folder, d.Unpacked, d.SHA512 = name, entry.Folder, entry.Unpacked, entry.SHA512
	if err != nil {
		return d, fmt.Errorf("engine %s: %w (kdrill engine remove %s, then add it again)", name, err, name)
	}
	return d, nil
}

// Names lists the distributions, the newest Kafka first.
func (s Store) Names() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var found []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "apache-") {
			found = append(found, e.Name())
		}
	}
	slices.SortFunc(found, func(a, b string) int {
		return compareVersions(strings.TrimPrefix(b, "apache-"), strings.TrimPrefix(a, "apache-"))
	})
	return found, err
}

// Newest returns the newest distribution that can be run in a mode.
func (s Store) Newest(mode string) (Distribution, error) {
	all, err := s.Names()
	if err != nil {
		return Distribution{}, err
	}
	if len(all) == 0 {
		return Distribution{}, errors.New("no Apache Kafka is known: download one from kafka.apache.org/downloads, then kdrill engine add FOLDER|ARCHIVE")
	}
	var why error
	for _, name := range all {
		d, err := s.Get(name)
		if err == nil {
			err = d.Supports(mode)
		}
		if err == nil {
			return d, nil
		}
		why = errors.Join(why, err)
	}
	return Distribution{}, why
}

// Remove forgets a distribution, and deletes what was unpacked for it.
func (s Store) Remove(name string) error {
	if _, err := os.Stat(filepath.Join(s.dir, name, entryFile)); err != nil || !strings.HasPrefix(name, "apache-") {
		return fmt.Errorf("no engine %s: kdrill engine list shows what there is", name)
	}
	return os.RemoveAll(filepath.Join(s.dir, name))
}
