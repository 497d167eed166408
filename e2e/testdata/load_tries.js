// The portal's own policy is any that does not begin as the gateway's.
const ours = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob: mediastream:"
const violations = []
addEventListener("securitypolicyviolation", e => {
	if (e.originalPolicy.startsWith(ours)) return
	violations.push(e.effectiveDirective + " " + (URL.canParse(e.blockedURI) ? new URL(e.blockedURI).hostname : e.blockedURI))
	dispatchEvent(new Event("violated"))
})

// violated returns what the portal's own policy has stopped, when it is as much as expected, or after some time.
function violated(count) {
	return new Promise(done => {
		const check = () => violations.length >= count && done(violations)
		addEventListener("violated", check)
		setTimeout(() => done(violations), 10000)
		check()
	})
}

// tries does what pages do, each thing once, and returns for each whether it worked.
async function tries(other) {
	const outcome = (element, attributes) => new Promise(done => {
		element.onload = element.onloadeddata = () => done(true)
		element.onerror = () => done(false)
		Object.assign(element, attributes)
		document.body.append(element)
	})
	const create = (name, attributes) => Object.assign(document.createElement(name), attributes)
	const append = (name, attributes) => document.body.appendChild(create(name, attributes))
	const succeeds = action => {
		try { action(); return true } catch { return false }
	}
	const wasm = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])
	const pixel = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="
	const worker = URL.createObjectURL(new Blob(["postMessage(1)"]))
	const frames = url => new Promise(done => {
		addEventListener("message", () => done(true), {once: true})
		addEventListener("securitypolicyviolation", e => e.effectiveDirective == "frame-src" && done(false))
		append("iframe", {src: url})
	})
	const fetched = url => fetch(url, {mode: "no-cors"}).then(() => true, () => false)
	const result = {
		"inline of the page": !!window.parsed,
		"nonced of the page": !!window.parsedNonced,
	}

	append("script", {textContent: "window.inline = true"})
	result.inline = !!window.inline
	append("script", {textContent: "window.nonced = true", nonce: "portal"})
	result.nonced = !!window.nonced
	const button = append("button")
	button.setAttribute("onclick", "window.handler = true")
	button.click()
	result.handler = !!window.handler
	button.setAttribute("style", "color: rgb(1, 2, 3)")
	result.style = getComputedStyle(button).color == "rgb(1, 2, 3)"
	result.eval = succeeds(() => eval("1"))
	result.wasm = succeeds(() => new WebAssembly.Module(wasm))
	result["blob worker"] = await new Promise(done => {
		const w = new Worker(worker)
		w.onmessage = () => done(true)
		w.onerror = () => done(false)
	})
	result["data picture"] = await outcome(create("img"), {src: pixel})
	const frame = create("iframe")
	await outcome(frame, {srcdoc: "<script>parent.framed = true</script><p id=shown>"})
	result.srcdoc = !!frame.contentDocument?.querySelector("#shown")
	result["script in srcdoc"] = !!window.framed
	result.wss = await new Promise(done => {
		const socket = new WebSocket("wss://" + location.host + "/socket")
		socket.onopen = () => done(true)
		socket.onerror = () => done(false)
	})
	for (const [whose, origin] of [["own", location.origin], ["other", other]]) {
		result[whose + " picture"] = await outcome(create("img"), {src: origin + "/picture"})
		result[whose + " script"] = await outcome(create("script"), {src: origin + "/script"})
		result[whose + " nonced script"] = await outcome(create("script"), {src: origin + "/script", nonce: "portal"})
		result[whose + " style"] = await outcome(create("link", {rel: "stylesheet"}), {href: origin + "/style"})
		result[whose + " fetch"] = await fetched(origin + "/fetch")
		result[whose + " frame"] = await frames(origin + "/frame")
	}
	return result
}
