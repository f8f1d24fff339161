package apache

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// checkSum compares an archive with the SHA-512 that was announced: hexadecimal digits, or a file as Apache publishes it
// next to each archive.
func checkSum(archive, announced string) (sum string, err error) {
	want, err := parseSum(announced)
	if err != nil {
		return "", err
	}
	f, err := os.Open(archive)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha512.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("%s: %w", archive, err)
	}
	if sum = hex.EncodeToString(h.Sum(nil)); want != "" && sum != want {
		return "", fmt.Errorf("%s has the SHA-512 %s… and not %s…: download it again, and do not run this one", archive, sum[:16], want[:16])
	}
	return sum, nil
}

var sumDigits = regexp.MustCompile(`^[0-9a-f]{128}$`)

// parseSum reads "kafka.tgz: 0123 4567 …" in several lines, "0123… kafka.tgz", or the digits alone; nothing is no sum.
func parseSum(announced string) (string, error) {
	if announced == "" {
		return "", nil
	}
	text := announced
	if data, err := os.ReadFile(announced); err == nil {
		text = string(data)
		if _, after, ok := strings.Cut(text, ":"); ok {
			text = after
		} else if fields := strings.Fields(text); len(fields) == 2 {
			text = fields[0]
		}
	}
	digits := strings.ToLower(strings.Join(strings.Fields(text), ""))
	if !sumDigits.MatchString(digits) {
		return "", fmt.Errorf("--sha512 %s: give 128 hexadecimal digits, or the .sha512 file of the archive", announced)
	}
	return digits, nil
}

// unpack extracts a .tgz into a folder, without the folder that all its files lie in, its documentation and its links.
func unpack(archive, folder string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	packed, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("%s is no .tgz archive: name the kafka_2.13-….tgz of kafka.apache.org/downloads, or a folder", archive)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	for entries := tar.NewReader(packed); ; {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			// Only the end of the compressed stream proves that nothing is missing.
			if _, err = io.Copy(io.Discard, packed); err == nil {
				return nil
			}
		}
		if err == nil {
			err = extract(root, header, entries)
		}
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, tar.ErrHeader) {
			return fmt.Errorf("%s is truncated or damaged: download it again", archive)
		}
		if err != nil {
			return fmt.Errorf("unpack %s: %w", archive, err)
		}
	}
}

func extract(root *os.Root, header *tar.Header, content io.Reader) error {
	_, name, inside := strings.Cut(path.Clean(header.Name), "/")
	if !inside || header.Typeflag != tar.TypeReg || strings.HasPrefix(name, "site-docs/") {
		return nil
	}
	name = filepath.FromSlash(name)
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644|fs.FileMode(header.Mode)&0o111)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}
