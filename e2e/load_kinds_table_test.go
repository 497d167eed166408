package e2e

// kind is one way in which a page makes a browser turn to another host. In its texts OTHER, WSS, STUN and OWN
// stand for the address at the third party, and for one of the site that redirects there.
type kind struct {
	name string
	docs string // the words of docs/load.md for it
	page string
	link string // the field Link of the page
	// The script of a worker, at /script and, without the policy's header, at /bare.
	script string
	silent bool // connects, and asks for nothing
}

const fetches = `fetch("OTHER", {mode: "no-cors"}).catch(() => {})`

// kinds are those that can be seen each time. Name lookups (dns-prefetch) cannot: the browser of a test makes none.
// Of preloads that a 103 (Early Hints) names, Chromium makes some and not others; TestLoadOfHints is about them.
var kinds = []kind{
	{name: "img", docs: "pictures", page: `<img src="OTHER">`},
	{name: "input-image", docs: "pictures", page: `<input type=image src="OTHER">`},
	{name: "poster", docs: "pictures", page: `<video poster="OTHER"></video>`},
	{name: "css-url", docs: "pictures", page: `<style>p {background-image: url("OTHER")}</style><p>x`},
	{name: "image-set", docs: "pictures", page: `<style>p {background-image: image-set("OTHER" 1x)}</style><p>x`},
	{name: "link-icon", docs: "pictures", page: `<link rel=icon href="OTHER">`},
	{name: "font", docs: "fonts", page: `<style>@font-face {font-family: f; src: url("OTHER")} p {font-family: f}</style><p>x`},
	{name: "video", docs: "videos", page: `<video src="OTHER"></video>`},
	{name: "audio", docs: "sounds", page: `<audio src="OTHER" preload=auto></audio>`},
	{name: "link-css", docs: "style sheets", page: `<link rel=stylesheet href="OTHER">`},
	{name: "css-import", docs: "style sheets", page: `<style>@import "OTHER";</style>`},
	{name: "script", docs: "scripts", page: `<script src="OTHER"></script>`},
	{name: "link-manifest", docs: "manifests", page: `<link rel=manifest href="OTHER">`},
	{name: "object", docs: "objects", page: `<object data="OTHER" type="text/html"></object>`},
	{name: "embed", docs: "objects", page: `<embed src="OTHER" type="text/html">`},

	{name: "fetch", docs: "`fetch`", page: `<script>` + fetches + `</script>`},
	{name: "xhr", docs: "`XMLHttpRequest`", page: `<script>let x = new XMLHttpRequest(); x.open("GET", "OTHER"); x.send()</script>`},
	{name: "beacon", docs: "beacons", page: `<script>navigator.sendBeacon("OTHER")</script>`},
	{name: "ping", docs: "pings", page: `<a ping="OTHER" href="#here"></a><script>document.querySelector("a").click()</script>`},
	{name: "eventsource", docs: "event streams", page: `<script>new EventSource("OTHER")</script>`},
	{name: "websocket", docs: "WebSockets", page: `<script>new WebSocket("WSS")</script>`},

	{name: "link-preload", docs: "`preload`", page: `<link rel=preload as=image href="OTHER">`},
	{name: "link-prefetch", docs: "`prefetch`", page: `<link rel=prefetch href="OTHER">`},
	{name: "link-modulepreload", docs: "`modulepreload`", page: `<link rel=modulepreload href="OTHER">`},
	{name: "header-preload", docs: "`preload`", link: `<OTHER>; rel=preload; as=image`,
		page: `<script>new ReportingObserver(reports => fetch("/told/header-preload?" + reports[0].body.effectiveDirective),
			{types: ["csp-violation"], buffered: true}).observe()</script>`},

	{name: "srcdoc", docs: "what is in `srcdoc`",
		page: `<iframe srcdoc='<script>TELL</script><img src="OTHER">'></iframe>`},
	{name: "blob-worker", docs: "workers", page: "<script>new Worker(URL.createObjectURL(new Blob([`TELL; " + fetches + "`])))</script>"},
	{name: "worker", docs: "workers", script: fetches, page: `<script>new Worker("/script/worker")</script>`},
	{name: "sharedworker", docs: "workers", script: fetches, page: `<script>new SharedWorker("/script/sharedworker")</script>`},
	{name: "serviceworker", docs: "workers", script: fetches,
		page: `<script>navigator.serviceWorker.register("/script/serviceworker", {scope: "/script/none"})</script>`},

	{name: "redirect-img", docs: "redirects of the site", page: `<img src="OWN">`},
	{name: "redirect-script", docs: "redirects of the site", page: `<script src="OWN"></script>`},
	{name: "redirect-fetch", docs: "redirects of the site", page: `<script>fetch("OWN", {mode: "no-cors"}).catch(() => {})</script>`},
	{name: "redirect-iframe", docs: "redirects of the site", page: `<iframe src="OWN"></iframe>`},

	{name: "iframe", docs: "frames", page: `<iframe src="OTHER"></iframe>`},
	{name: "form-in-frame", docs: "forms in frames",
		page: `<iframe name=f></iframe><form target=f method=post action="OTHER"></form><script>document.forms[0].submit()</script>`},
	{name: "link-preconnect", docs: "`preconnect`", page: `<link rel=preconnect href="OTHER">`, silent: true},
	{name: "header-preconnect", docs: "`preconnect`", link: `<OTHER>; rel=preconnect`, silent: true},

	{name: "speculation-rules", docs: "speculation rules",
		page: `<script type=speculationrules>{"prefetch": [{"urls": ["OTHER"], "eagerness": "immediate"}]}</script>`},
	{name: "meta-refresh", docs: "`meta refresh`", page: `<meta http-equiv=refresh content="0; url=OTHER">`},
	{name: "link", docs: "links", page: `<a href="OTHER"></a><script>document.querySelector("a").click()</script>`},
	{name: "form", docs: "forms", page: `<form method=post action="OTHER"></form><script>document.forms[0].submit()</script>`},
	{name: "window-open", docs: "new windows", page: `<script>window.open("OTHER")</script>`},
	{name: "stun", docs: "WebRTC", page: `<script>
		const peer = new RTCPeerConnection({iceServers: [{urls: "STUN"}]})
		peer.createDataChannel("x")
		peer.createOffer().then(offer => peer.setLocalDescription(offer))
		</script>`},
	{name: "bare-worker", docs: "workers whose script came without the header", script: fetches, page: `<script>new Worker("/bare/bare-worker")</script>`},
	{name: "bare-sharedworker", docs: "workers whose script came without the header", script: fetches,
		page: `<script>new SharedWorker("/bare/bare-sharedworker")</script>`},
	{name: "bare-serviceworker", docs: "workers whose script came without the header", script: fetches,
		page: `<script>navigator.serviceWorker.register("/bare/bare-serviceworker", {scope: "/bare/none"})</script>`},
}
