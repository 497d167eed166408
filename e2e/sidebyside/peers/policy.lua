local necessary = {
	sessionid = true, csrftoken = true, django_language = true, cookies_preferences = true,
}

local function grants_matomo(txn)
	local preference = txn:get_var("txn.preference")
	return preference ~= nil and preference:find('"matomo":true', 1, true) ~= nil
end

core.register_action("cookie_policy", {"http-res"}, function(txn)
	local lines = txn.http:res_get_headers()["set-cookie"]
	if lines == nil then
		return
	end
	txn.http:res_del_header("set-cookie")
	local granted = nil
	-- HAProxy numbers the lines from zero.
	for i = 0, #lines do
		local line = lines[i]
		local name = line:match("^[ \t]*(.-)[ \t]*=")
		local pass = necessary[name]
		if not pass and name and name:sub(1, 4) == "_pk_" then
			if granted == nil then
				granted = grants_matomo(txn)
			end
			pass = granted
		end
		if pass then
			txn.http:res_add_header("set-cookie", line)
		end
	end
end)
