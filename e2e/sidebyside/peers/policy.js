const necessary = {
	sessionid: true, csrftoken: true, django_language: true, cookies_preferences: true,
};

function grantsMatomo(r) {
	try {
		const preference = decodeURIComponent(r.variables.cookie_cookies_preferences || '');
		return preference.includes('"matomo":true');
	} catch (e) {
		return false;
	}
}

function filter(r) {
	const lines = r.headersOut['Set-Cookie'];
	if (!lines || lines.length === 0) {
		return;
	}
	let granted;
	r.headersOut['Set-Cookie'] = lines.filter(line => {
		const name = line.slice(0, line.indexOf('=')).trim();
		if (necessary[name] === true) {
			return true;
		}
		if (!name.startsWith('_pk_')) {
			return false;
		}
		if (granted === undefined) {
			granted = grantsMatomo(r);
		}
		return granted;
	});
}

export default {filter};
