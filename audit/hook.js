// Runs in every document and worker before all other scripts, and reports what scripts store, with the
// stack. The prototypes are wrapped, not the instances: a frame's own document is another instance.
(() => {
	const name = "BINDING";
	const send = globalThis[name];
	if (typeof send !== "function") return;
	delete globalThis[name];
	const { stringify } = JSON, { apply, defineProperty, getOwnPropertyDescriptor } = Reflect;
	const NativeError = Error, text = String, slice = Function.prototype.call.bind(String.prototype.slice);
	const stack = () => {
		const { stackTraceLimit, prepareStackTrace } = NativeError;
		try {
			NativeError.stackTraceLimit = 32;
			NativeError.prepareStackTrace = undefined;
			return slice(text(new NativeError().stack), 0, 8000);
		} catch {
			return "";
		} finally {
			try {
				NativeError.stackTraceLimit = stackTraceLimit;
				NativeError.prepareStackTrace = prepareStackTrace;
			} catch {}
		}
	};
	const where = () => {
		try {
			const own = globalThis.location.href;
			return own.startsWith("http") || !globalThis.document ? own : document.baseURI;
		} catch {
			return "";
		}
	};
	const report = (kind, subject, size, from) => {
		try {
			send(stringify({ kind, subject: slice(text(subject), 0, 8192), size, where: slice(where(), 0, 2000), stack: from ?? stack() }));
		} catch {}
	};
	// Reads can be frequent: the first ones of a script are reported at once, the others together.
	const reads = { __proto__: null }, later = globalThis.setTimeout;
	let callers = 0;
	const read = () => {
		try {
			let from = stack();
			if (!reads[from]) {
				if (callers++ >= 200) from = ""; // a page cannot make this grow
				reads[from] ??= { all: 0, waiting: 0 };
			}
			const r = reads[from];
			if (r.all++ < 3) {
				report("read", "", 1, from);
			} else if (r.waiting++ === 0) {
				later(() => {
					const n = r.waiting;
					r.waiting = 0;
					report("read", "", n, from);
				}, 200);
			}
		} catch {}
	};
	// wrap makes a call report before it does what it did.
	const wrap = (prototype, method, before) => {
		const d = prototype && getOwnPropertyDescriptor(prototype, method);
		const was = d && d.value;
		if (typeof was !== "function") return;
		d.value = { [method](...args) {
			try { before(args, this); } catch {}
			return apply(was, this, args);
		} }[method];
		defineProperty(prototype, method, d);
	};
	const d = globalThis.Document && getOwnPropertyDescriptor(Document.prototype, "cookie");
	if (d && d.set && d.get) {
		const { get, set } = d;
		d.get = getOwnPropertyDescriptor({ get cookie() {
			read();
			return apply(get, this, []);
		} }, "cookie").get;
		d.set = function cookie(line) {
			const written = text(line);
			report("document.cookie", written);
			apply(set, this, [written]);
		};
		defineProperty(Document.prototype, "cookie", d);
	}
	const store = globalThis.CookieStore && CookieStore.prototype;
	const line = (o) => {
		let l = o.name + "=" + o.value + "; Path=" + (o.path ?? "/") + "; Secure; SameSite=" + (o.sameSite ?? "strict");
		if (o.domain) l += "; Domain=" + o.domain;
		if (o.expires != null) l += "; Expires=" + new Date(+o.expires).toUTCString();
		if (o.partitioned) l += "; Partitioned";
		return l;
	};
	wrap(store, "set", ([a, b]) => report("cookieStore", line(typeof a === "object" ? a : { name: a, value: b })));
	wrap(store, "delete", ([a]) => {
		const o = typeof a === "object" ? a : { name: a };
		report("cookieStore", line({ ...o, value: "", expires: 0 }));
	});
	wrap(store, "get", read);
	wrap(store, "getAll", read);
	wrap(globalThis.IDBFactory && IDBFactory.prototype, "open", ([a]) => report("indexeddb", a));
	wrap(globalThis.CacheStorage && CacheStorage.prototype, "open", ([a]) => report("cache", a));
	wrap(globalThis.Storage && Storage.prototype, "setItem", ([key, value], self) =>
		report(self === globalThis.sessionStorage ? "session" : "local", key, text(value).length));
})();
//# sourceURL=SOURCE
