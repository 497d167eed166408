package cookiepolicy

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// Every final status is filtered, with a body and without.
func TestHandlerEveryStatus(t *testing.T) {
	statuses := []string{"200 OK", "201 Created", "204 No Content", "206 Partial Content",
		"301 Moved Permanently", "302 Found", "303 See Other",
		"304 Not Modified", "307 Temporary Redirect", "308 Permanent Redirect", "401 Unauthorized",
		"404 Not Found", "418 I'm a teapot",
		"500 Internal Server Error", "503 Service Unavailable", "600 Beyond", "999 Beyond"}
	for _, status := range statuses {
		t.Run(status, func(t *testing.T) {
			portal := portaltest.StartPortal(t, portaltest.Response(status, []string{google, session}, ""))
			answer := caddytest.Start(t, "cookie_policy opendatasoft\nreverse_proxy "+
				portal.Address).Get(t, "")
			if !strings.HasPrefix(answer.Raw, "HTTP/1.1 "+status[:3]) {
				t.Errorf("the status is %.20q", answer.Raw)
			}
			if got := answer.SetCookies(); !slices.Equal(got, []string{session}) {
				t.Errorf("got %q", got)
			}
		})
	}
}

// Statuses with a body and without, and the answers to HEAD.
func TestHandlerEveryStatusAndMethod(t *testing.T) {
	gateway := caddytest.Start(t, "cookie_policy opendatasoft\nreverse_proxy "+portaltest.StartStatuses(t))
	for protocol, client := range portaltest.Protocols(t) {
		portaltest.CheckStatuses(t, protocol, func(method, path string) portaltest.Reply {
			return gateway.Ask(t, client, method, path, nil, nil)
		})
	}
}

// A handler may send its header in any way there is.
func TestHandlerEveryWayToSendAHeader(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"sets headers and writes nothing": func(http.ResponseWriter, *http.Request) {},
		"writes a body first": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "hello")
		},
		"writes a status first": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTeapot)
		},
		"flushes first": func(w http.ResponseWriter, _ *http.Request) {
			http.NewResponseController(w).Flush()
		},
		"flushes first, the old way": func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
		},
		"copies from a reader first": func(w http.ResponseWriter, _ *http.Request) {
			io.Copy(w, strings.NewReader("hello"))
		},
		"sends a file": func(w http.ResponseWriter, r *http.Request) {
			http.ServeFile(w, r, "module.go")
		},
		"sends early hints": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
		},
	} {
		for protocol, client := range portaltest.Protocols(t) {
			t.Run(name+" over "+protocol, func(t *testing.T) {
				caddytest.SetHandler(t, func(w http.ResponseWriter, r *http.Request) error {
					w.Header()["set-cookie"] = []string{google, language}
					w.Header()["Set-Cookie"] = []string{unlisted, session, matomo, csrf}
					w.Header()["Set-Cookie2"] = []string{session}
					handler(w, r)
					return nil
				})
				gateway := caddytest.Start(t, "route {\ncookie_policy opendatasoft\ntest_handler\n}")
				header := gateway.Ask(t, client, http.MethodGet, "/", nil, nil).Header
				got := header["Set-Cookie"]
				slices.Sort(got)
				if want := []string{csrf, language, session}; !slices.Equal(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
				if header["Set-Cookie2"] != nil {
					t.Error("Set-Cookie2 got through")
				}
			})
		}
	}
}

// A cookie that a handler sets after the status is not for the visitor, and if somebody around the
// policy holds the header back until there is a body, it does not get through either.
func TestHandlerCookiesAfterTheStatus(t *testing.T) {
	for outer, around := range map[string]string{
		"alone":                    "route {\n",
		"with an access log":       caddytest.DiscardLogs + "route {\n",
		"within encode":            "route {\nencode {\ngzip\nminimum_length 1\n}\n",
		"within encode, too short": "route {\nencode gzip\n",
		"within templates":         "route {\ntemplates\n",
		"within intercept":         "route {\nintercept {\nreplace_status 200\n}\n",
		"within another policy":    "route {\ncookie_policy opendatasoft {\nname outer\n}\n",
	} {
		gateway := caddytest.Start(t, around+"cookie_policy opendatasoft\ntest_handler\n}")
		for what, handler := range map[string]func(http.ResponseWriter, func()){
			"nothing":      func(_ http.ResponseWriter, set func()) { set() },
			"a small body": func(w http.ResponseWriter, set func()) { set(); io.WriteString(w, "hello") },
			"a large body": func(w http.ResponseWriter, set func()) { set(); w.Write(make([]byte, 1<<20)) },
			"a copied body": func(w http.ResponseWriter, set func()) {
				set()
				w.(io.ReaderFrom).ReadFrom(strings.NewReader("hello"))
			},
			"an empty, then a body": func(w http.ResponseWriter, set func()) {
				w.Write(nil)
				set()
				io.WriteString(w, "hello")
			},
			"an empty copy, then a body": func(w http.ResponseWriter, set func()) {
				w.(io.ReaderFrom).ReadFrom(strings.NewReader(""))
				set()
				io.WriteString(w, "hello")
			},
			"a flush, then a body": func(w http.ResponseWriter, set func()) {
				http.NewResponseController(w).Flush()
				set()
				io.WriteString(w, "hello")
			},
			"a body, in between": func(w http.ResponseWriter, set func()) {
				io.WriteString(w, "hello")
				set()
				io.WriteString(w, "hello")
			},
		} {
			caddytest.SetHandler(t, func(w http.ResponseWriter, _ *http.Request) error {
				w.Header().Set("Content-Type", "text/plain")
				w.Header()["Set-Cookie"] = []string{session, matomo}
				w.WriteHeader(http.StatusOK)
				handler(w, func() {
					w.Header().Add("Set-Cookie", google)
					w.Header()["set-cookie"] = []string{unlisted}
				})
				return nil
			})
			for protocol, client := range portaltest.Protocols(t) {
				got := gateway.Ask(t, client, http.MethodGet, "/",
					http.Header{"Accept-Encoding": {"gzip"}}, nil)
				if !slices.Equal(got.Header["Set-Cookie"], []string{session}) {
					t.Errorf("%s, %s, over %s: got %q", outer, what, protocol, got.Header["Set-Cookie"])
				}
			}
		}
	}
}

// A body that is read from somewhere, first of all, brings the header along.
func TestHandlerReadFrom(t *testing.T) {
	caddytest.SetHandler(t, func(w http.ResponseWriter, _ *http.Request) error {
		w.Header()["Set-Cookie"] = []string{google, session}
		_, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader(strings.Repeat("hello", 10_000)))
		return err
	})
	for _, around := range []string{"", "encode gzip\n", caddytest.DiscardLogs} {
		gateway := caddytest.Start(t, around+"route {\ncookie_policy opendatasoft\ntest_handler\n}")
		for protocol, client := range portaltest.Protocols(t) {
			got := gateway.Ask(t, client, http.MethodGet, "/", nil, nil)
			if !slices.Equal(got.Header["Set-Cookie"], []string{session}) || len(got.Body) != 50_000 {
				t.Errorf("%q, %s: got %q and %d bytes", around, protocol, got.Header["Set-Cookie"],
					len(got.Body))
			}
		}
	}
}

// Cookies are found under every spelling of the key, in the header and as a trailer, and
// Set-Cookie2 never gets through.
func TestHandlerKeysThatAreNotCanonical(t *testing.T) {
	gateway := caddytest.Start(t, "route {\ncookie_policy opendatasoft\ntest_handler\n}")
	for _, key := range []string{"Set-Cookie", "set-cookie", "SET-COOKIE", "sEt-cOOkIE",
		"Set-Cookie ", " Set-Cookie", "\tset-cookie\t",
		"Set-Cookie2", "set-cookie2", "SET-COOKIE2 "} {
		for _, prefix := range []string{"", http.TrailerPrefix} {
			caddytest.SetHandler(t, func(w http.ResponseWriter, _ *http.Request) error {
				w.Header()[prefix+key] = []string{google, session, unlisted}
				w.Header().Set("X-Other", google)
				io.WriteString(w, "hello")
				http.NewResponseController(w).Flush()
				w.Header()[http.TrailerPrefix+"X-Checksum"] = []string{"5d41"}
				return nil
			})
			want := []string{session}
			// the server does not write the latter
			if trimmed := strings.TrimSpace(key); strings.HasSuffix(trimmed, "2") || trimmed != key {
				want = nil
			}
			for protocol, client := range portaltest.Protocols(t) {
				got := gateway.Ask(t, client, http.MethodGet, "/", nil, nil)
				where := got.Header
				if prefix != "" {
					where = got.Trailer
				}
				if !slices.Equal(where["Set-Cookie"], want) || len(where["Set-Cookie2"]) > 0 {
					t.Errorf("%q over %s: got %q, want %q", prefix+key, protocol, where, want)
				}
				if got.Body != "hello" || got.Header.Get("X-Other") != google ||
					got.Trailer.Get("X-Checksum") != "5d41" {
					t.Errorf("%q over %s: the rest is %+v", prefix+key, protocol, got)
				}
			}
		}
	}
}

// A handler gets from http.ResponseController, io.ReaderFrom and the older interfaces what it would
// get without the policy.
func TestHandlerInterfaces(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	with, without := caddytest.StartBoth(t, "cookie_policy opendatasoft", "test_handler")
	for protocol, client := range portaltest.Protocols(t) {
		var did []string
		caddytest.SetHandler(t, func(w http.ResponseWriter, r *http.Request) error {
			control := http.NewResponseController(w)
			w.Header()["Set-Cookie"] = []string{google, session}
			did = append(did, fmt.Sprint("read deadline: ",
				control.SetReadDeadline(time.Now().Add(time.Minute))))
			did = append(did, fmt.Sprint("write deadline: ",
				control.SetWriteDeadline(time.Now().Add(time.Minute))))
			did = append(did, fmt.Sprint("full duplex: ", control.EnableFullDuplex()))
			if r.ProtoMajor == 2 {
				_, _, err := control.Hijack()
				did = append(did, fmt.Sprint("hijack: ", err))
			}
			did = append(did, fmt.Sprint("flush: ", control.Flush()))
			f, err := os.Open(file)
			if err != nil {
				return err
			}
			defer f.Close()
			n, err := io.Copy(w, io.LimitReader(f, 1<<19))
			did = append(did, fmt.Sprint("limited copy: ", n, err))
			n, err = io.Copy(w, f)
			did = append(did, fmt.Sprint("copy: ", n, err))
			did = append(did, fmt.Sprint("write deadline: ", control.SetWriteDeadline(time.Time{})))
			return nil
		})
		bare := without.Ask(t, client, http.MethodGet, "/", nil, nil)
		want := did
		did = nil
		got := with.Ask(t, client, http.MethodGet, "/", nil, nil)
		if !slices.Equal(did, want) {
			t.Errorf("%s: got %q, and without the policy %q", protocol, did, want)
		}
		if !slices.Equal(got.Header["Set-Cookie"], []string{session}) ||
			!slices.Equal(bare.Header["Set-Cookie"], []string{google, session}) {
			t.Errorf("%s: got %q, and without the policy %q", protocol, got.Header, bare.Header)
		}
		if got.Body != string(content) || bare.Body != string(content) {
			t.Errorf("%s: of %d bytes arrived %d, and without the policy %d", protocol,
				len(content), len(got.Body), len(bare.Body))
		}
	}
}

// Trailers pass, announced or not, and of the cookies among them those that the policy lets
// through.
func TestHandlerTrailers(t *testing.T) {
	for _, c := range portaltest.Trailers() {
		portal := portaltest.StartPortal(t, c.Response)
		gateway := caddytest.Start(t, "cookie_policy opendatasoft\nreverse_proxy "+portal.Address)
		for protocol, client := range portaltest.Protocols(t) {
			c.Check(t, protocol, gateway.Ask(t, client, http.MethodGet, "/",
				http.Header{"Te": {"trailers"}}, nil))
		}
	}
}

// A handler that flushes or writes nothing before it sets a status or a header gets what it would get
// without a policy.
func TestHandlerStatusAfterNothing(t *testing.T) {
	for what, f := range map[string]func(http.ResponseWriter){
		"an empty write, then a status": func(w http.ResponseWriter) {
			w.Write(nil)
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, "x")
		},
		"an empty write, then a header": func(w http.ResponseWriter) {
			w.Write(nil)
			w.Header().Set("X-Late", "1")
			io.WriteString(w, "<html>x")
		},
		"a flush, then a status": func(w http.ResponseWriter) {
			http.NewResponseController(w).Flush()
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, "x")
		},
		"a page without a type": func(w http.ResponseWriter) {
			io.WriteString(w, "<html>"+strings.Repeat("x", 9000))
		},
	} {
		caddytest.SetHandler(t, func(w http.ResponseWriter, _ *http.Request) error {
			f(w)
			return nil
		})
		with, without := caddytest.StartBoth(t, "cookie_policy opendatasoft", "test_handler")
		for protocol, client := range portaltest.Protocols(t) {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				got := with.Ask(t, client, method, "/", nil, nil)
				bare := without.Ask(t, client, method, "/", nil, nil)
				for _, field := range []string{"Date", "Alt-Svc"} { // a time and a port
					got.Header.Del(field)
					bare.Header.Del(field)
				}
				if got.Status != bare.Status || got.Body != bare.Body ||
					fmt.Sprint(got.Header) != fmt.Sprint(bare.Header) {
					t.Errorf("%s, %s %s: got %d %v, and without the policy %d %v", what, protocol, method,
						got.Status, got.Header, bare.Status, bare.Header)
				}
			}
		}
	}
}
