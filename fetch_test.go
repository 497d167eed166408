package cookiepolicy

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestIsPublic(t *testing.T) {
	for address, want := range map[string]bool{
		"93.184.215.14": true, "2606:2800:220:1::1": true, "::ffff:93.184.215.14": true,
		"127.0.0.1": false, "10.0.0.1": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false,
		"100.64.0.1": false, "0.0.0.0": false, "0.1.2.3": false, "224.0.0.1": false, "255.255.255.255": false,
		"192.0.0.170": false, "198.18.0.1": false, "240.0.0.1": false, "::1": false, "::": false,
		"fe80::1": false, "fc00::1": false, "fec0::1": false, "ff02::1": false, "::ffff:127.0.0.1": false,
		"64:ff9b::7f00:1": false, "2002:7f00:1::": false, "2001:db8::1": false, "2001::1": false,
	} {
		if got := isPublic(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is public: %t", address, got)
		}
	}
}

// A page is read from a file or an address, in the encoding that it has, with limits.
func TestReadDocument(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/latin":
			w.Header().Set("Content-Type", "text/html; charset=iso-8859-1")
			_, _ = w.Write([]byte("<p>Finalit\xe9"))
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/large":
			_, _ = w.Write(make([]byte, maxPageBytes+1))
		case "/away":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, []byte("<meta charset=windows-1252><p>Dur\xe9e"), 0o600); err != nil {
		t.Fatal(err)
	}
	late := filepath.Join(t.TempDir(), "late.txt")
	if err := os.WriteFile(late, []byte(strings.Repeat("x", 2000)+"Durée"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		place string
		local bool
		text  string
		err   string
	}{
		{file, false, "<meta charset=windows-1252><p>Durée", ""},
		{late, false, strings.Repeat("x", 2000) + "Durée", ""},
		{file + "x", false, "", "no such file"},
		{server.URL + "/latin", true, "<p>Finalité", ""},
		{server.URL + "/latin", false, "", "127.0.0.1 is not a public address; to ask it all the same, use --local"},
		{strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/latin", false, "", "is not a public address"},
		{server.URL + "/loop", true, "", "more than 10 redirects"},
		{server.URL + "/large", true, "", "more than 8 MiB"},
		{server.URL + "/away", true, "", "unsupported protocol scheme"},
		{server.URL + "/none", true, "", "404 Not Found"},
		{"https://user:word@data.example.org/", true, "", "want an address such as"},
		{"https://", true, "", "want an address such as"},
	} {
		d, err := readDocument(t.Context(), c.place, c.local)
		if string(d.text) != c.text && err == nil || (err == nil) != (c.err == "") ||
			err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %.100q, %v, want %q, %s", c.place, d.text, err, c.text, c.err)
		}
	}
}
