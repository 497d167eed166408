// Returns the first element that a selector matches and that has a box, also in open shadow roots.
(selector) => {
	const seek = (root) => {
		for (const e of root.querySelectorAll(selector)) {
			const r = e.getBoundingClientRect();
			if (r.width && r.height) return e;
		}
		for (const host of root.querySelectorAll("*")) {
			const e = host.shadowRoot && seek(host.shadowRoot);
			if (e) return e;
		}
		return null;
	};
	return seek(document);
}
