vcl 4.1;

import header;

backend default {
	.host = "{{.portalHost}}";
	.port = "{{.portalPort}}";
}

sub vcl_recv {
	return (pass);
}

sub vcl_deliver {
	if (local.socket == "on") {
		if (req.http.Cookie ~ "(^|; )cookies_preferences=[^;]*%22matomo%22%3Atrue") {
			header.remove(resp.http.Set-Cookie,
				"^(?!(?:sessionid|csrftoken|django_language|cookies_preferences|_pk_[^=;]*)=)");
		} else {
			header.remove(resp.http.Set-Cookie,
				"^(?!(?:sessionid|csrftoken|django_language|cookies_preferences)=)");
		}
	}
}
