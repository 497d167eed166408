package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// npmPackage is a package of the npm registry, at one version and with the bytes of that version.
type npmPackage struct {
	name, version string
	integrity     string // as npm view <name>@<version> dist.integrity prints it
}

// Nothing of these packages is in this repository. They are tools for tests: axe-core looks for faults of
// accessibility, and the others are the banners whose cookies the policy page writes.
var (
	axeCore = npmPackage{"axe-core", "4.14.1",
		"sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="}
	klaro = npmPackage{"klaro", "0.7.22",
		"sha512-NkaFxS4S8160/zH1UQzCSYIIsAtwIDHIkJ7xofCrgRqk14OSY+OJuwCjYyW+q5fmIeF4RvsuBH6brPe2BS9Z0A=="}
	tarteaucitron = npmPackage{"tarteaucitronjs", "1.34.0",
		"sha512-PEzKEjOLC06zCWSZB1RuQkSlzbDYXSKohv0XD7BMjgfE/M+LhiWLTdNAj47VW9xcVsuQCSvLpR/gqkripHaU6g=="}
	cookieConsent = npmPackage{"vanilla-cookieconsent", "3.1.0",
		"sha512-/McNRtm/3IXzb9dhqMIcbquoU45SzbN2VB+To4jxEPqMmp7uVniP6BhGLjU8MC7ZCDsNQVOp27fhQTM/ruIXAA=="}
)

// files returns the package's files by path. npm fetches the package once; the user's cache directory
// keeps it. Bytes that are not those of the version fail the test, wherever they come from.
func (p npmPackage) files(t testing.TB) map[string][]byte {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	cache = filepath.Join(cache, "caddy-cookie-policy-e2e")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(cache, p.name+"-"+p.version+".tgz")
	packed, err := os.ReadFile(kept)
	if errors.Is(err, os.ErrNotExist) || err == nil && p.digest(packed) != p.integrity {
		packed = p.fetch(t)
	} else if err != nil {
		t.Fatal(err)
	}
	if got := p.digest(packed); got != p.integrity {
		t.Fatalf("%s %s has the integrity %s, want %s", p.name, p.version, got, p.integrity)
	}
	// Written under another name first: two tests may do so at the same time.
	file, err := os.CreateTemp(cache, p.name)
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.Write(packed)
	if err := errors.Join(err, file.Close(), os.Rename(file.Name(), kept)); err != nil {
		t.Fatal(err)
	}
	return unpack(t, packed)
}

func (npmPackage) digest(packed []byte) string {
	sum := sha512.Sum512(packed)
	return "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
}

func (p npmPackage) fetch(t testing.TB) []byte {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), need(t, "npm"), "pack", "--silent", p.name+"@"+p.version)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm pack %s@%s: %v\n%s", p.name, p.version, err, out)
	}
	packed, err := os.ReadFile(filepath.Join(dir, p.name+"-"+p.version+".tgz"))
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func unpack(t testing.TB, packed []byte) map[string][]byte {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for archive := tar.NewReader(unzipped); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		_, path, _ := strings.Cut(header.Name, "/") // all are in one directory
		if files[path], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}
