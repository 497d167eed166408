package portaltest

import "strings"

// Garbage returns responses of portals that do not speak HTTP well, by what is wrong with them.
func Garbage() map[string]string {
	// The type is named: whether Go derives it from the body depends on when Caddy flushes.
	const ok = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n"
	cookies := "Set-Cookie: " + Google + "\r\nSet-Cookie: " + Session + "\r\n"
	rest := cookies + "Content-Length: 5\r\n\r\nhello"
	long := strings.Repeat("x", 2<<20)
	return map[string]string{
		"no colon":                 ok + "Set-Cookie " + Google + "\r\n" + rest,
		"no name":                  ok + ": " + Google + "\r\n" + rest,
		"NUL in a cookie":          ok + "Set-Cookie: sessionid=a\x00b\r\n" + rest,
		"NUL in a refused cookie":  ok + "Set-Cookie: _ga=a\x00b\r\n" + rest,
		"NUL in a name":            ok + "Set-\x00Cookie: _ga=1\r\n" + rest,
		"NUL in another field":     ok + "X-Other: a\x00b\r\n" + rest,
		"a control character":      ok + "Set-Cookie: sessionid=a\x01b\r\n" + rest,
		"a tab":                    ok + "Set-Cookie:\t_ga=1\t;\tPath=/\r\n" + rest,
		"bare CR in a cookie":      ok + "Set-Cookie: sessionid=a\rSet-Cookie: _ga=1\r\n" + rest,
		"bare CR in another field": ok + "X-Other: a\rSet-Cookie: _ga=1\r\n" + rest,
		"bare LF":                  strings.ReplaceAll(ok+rest, "\r\n", "\n"),
		"a folded cookie": ok +
			"Set-Cookie: sessionid=1;\r\n Path=/;\r\n\tSecure\r\n" + rest,
		"a fold that could be a cookie": ok + "X-Other: a\r\n Set-Cookie: _ga=1\r\n" + rest,
		"a folded refused cookie":       ok + "Set-Cookie:\r\n _ga=1\r\n" + rest,
		"a fold before all else":        "HTTP/1.1 200 OK\r\n Set-Cookie: _ga=1\r\n" + rest,
		"a blank before the colon":      ok + "Set-Cookie : _ga=1\r\nSet-Cookie : sessionid=2\r\n" + rest,
		"a tab before the colon":        ok + "Set-Cookie\t: _ga=1\r\n" + rest,
		"8-bit characters": ok +
			"Set-Cookie: sessionid=\xe9\xff\r\nSet-Cookie: _ga\xe9=1\r\n" + rest,
		"8-bit characters in a name":  ok + "Set-Coo\xe2\x84\xaaie: _ga=1\r\n" + rest,
		"a cookie of 2 MiB":           ok + "Set-Cookie: _ga=" + long + "\r\n" + rest,
		"attributes of 2 MiB":         ok + "Set-Cookie: _ga=1; " + long + "\r\n" + rest,
		"a necessary cookie of 2 MiB": ok + "Set-Cookie: sessionid=" + long + "\r\n" + rest,
		"another field of 2 MiB":      ok + "X-Other: " + long + "\r\n" + rest,
		"a name of 2 MiB":             ok + "X-" + long + ": 1\r\n" + rest,
		"2 MiB of refused cookies":    ok + strings.Repeat("Set-Cookie: _ga=1\r\n", 110_000) + rest,
		"a header past Caddy's limit": ok + "X-Other: " + strings.Repeat(long, 6) + "\r\n" + rest,
		"two lengths":                 ok + "Content-Length: 4\r\n" + rest,
		"a length that is no number":  ok + "Content-Length: many\r\n" + rest,
		"a body that is cut short":    ok + cookies + "Content-Length: 50\r\n\r\nhello",
		"a bad chunk": ok + cookies +
			"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
		"a chunk that is cut short":  ok + cookies + "Transfer-Encoding: chunked\r\n\r\n50\r\nhello",
		"a header that is cut short": ok + "Set-Cookie: _ga=1\r\nSet-Coo",
		"no reason":                  "HTTP/1.1 200\r\n" + rest,
		"no status":                  "HTTP/1.1 \r\n" + rest,
		"a status out of range":      "HTTP/1.1 1000 OK\r\n" + rest,
		"a status below the range":   "HTTP/1.1 000 OK\r\n" + rest,
		"another protocol":           "SSH-2.0-OpenSSH_9.9\r\n",
		"an older protocol":          "HTTP/1.0 200 OK\r\n" + rest,
		"a protocol to come":         "HTTP/9.7 200 OK\r\n" + rest,
		"nothing":                    "",
		"a switch that nobody asked for": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n" +
			"Connection: Upgrade\r\n" + cookies + "\r\n",
		"a switch to nothing":     "HTTP/1.1 101 Switching Protocols\r\n" + cookies + "\r\n",
		"hints, and then nothing": "HTTP/1.1 103 Early Hints\r\n" + cookies + "\r\n",
		"hints without end":       strings.Repeat("HTTP/1.1 103 Early Hints\r\n"+cookies+"\r\n", 100),
		"trailers that are no fields": ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n" +
			"Set-Cookie _ga=1\r\n\r\n",
		"trailers where none should be": ok +
			"Trailer: Content-Length, Set-Cookie\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n" +
			"hello\r\n0\r\n" + cookies + "Content-Length: 3\r\n\r\n",
		"a body where none should be": "HTTP/1.1 204 No Content\r\n" + rest,
	}
}
