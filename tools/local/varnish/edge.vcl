vcl 4.1;

import std;

# The edge of the local pipeline. @NAMES@ are filled in by varnish.py.

backend storage {
    .host = "@HOST@";
    .port = "@PORT@";
    .connect_timeout = 5s;
    .first_byte_timeout = 30s;
    .between_bytes_timeout = 30s;
}

sub vcl_recv {
    if (local.socket == "purge") {
        call purge;
    }
    if (req.method != "GET" && req.method != "HEAD") {
        return (synth(405));
    }
    set req.url = regsub(req.url, "[?#].*$", "");
    # No object is named otherwise (P3), and the storage would resolve some of it to something else than an object of the
    # container. A letter, digit, `-`, `.`, `_` or `/` has one spelling, so that a purge misses no other one.
    if (req.url !~ "^/" || req.url ~ "/(\.|/|$)" || req.url ~ "[^]A-Za-z0-9._~!$&'()+,;=@^`{}[%/-]"
        || req.url ~ "(?i)%(?!2[146-9BC]|3[BD]|40|5[BDE]|60|7[BDE])") {
        return (synth(404));
    }
    # Anything but one range is answered by the whole object.
    if (req.http.Range !~ "^bytes=([0-9]+-[0-9]*|-[0-9]+)$") {
        unset req.http.Range;
    }
    call only_an_object;
    set req.http.X-Path = req.url;
    # Two variants of an object, plain and packed: each has its own length, its own validator, and its own ranges.
    unset req.http.X-Pack;
    if (req.http.Accept-Encoding ~ "(?i)(^|,|\s)(gzip|\*)\s*(;\s*q\s*=\s*(1|0\.0*[1-9])|,|$)"
        && req.http.Accept-Encoding !~ "(?i)gzip\s*;\s*q\s*=\s*0(\.0*)?\s*(,|$)") {
        set req.http.X-Pack = "gzip";
    }
    return (hash);
}

# What a reader may not tell the storage: another operation, another version of its protocol, a part, a condition.
sub only_an_object {
    unset req.http.Authorization;
    unset req.http.Cookie;
    unset req.http.Origin;
    unset req.http.X-HTTP-Method;
    unset req.http.X-HTTP-Method-Override;
    unset req.http.x-ms-client-request-id;
    unset req.http.x-ms-date;
    unset req.http.x-ms-encryption-algorithm;
    unset req.http.x-ms-encryption-key;
    unset req.http.x-ms-encryption-key-sha256;
    unset req.http.x-ms-if-tags;
    unset req.http.x-ms-lease-id;
    unset req.http.x-ms-range;
    unset req.http.x-ms-range-get-content-crc64;
    unset req.http.x-ms-range-get-content-md5;
    unset req.http.x-ms-structured-body;
    unset req.http.x-ms-upn;
    unset req.http.x-ms-version;
}

sub purge {
    if (req.method != "PURGE" || req.url !~ "^/[^?#]*$" || req.url ~ "\*." || req.url ~ "[^/]\*$") {
        return (synth(400));
    }
    if (req.url ~ "/\*$") {
        set req.http.X-Prefix = regsuball(regsub(req.url, "\*$", ""), "[][.+^$(){}|\\]", "\\\0");
        ban("obj.http.X-Path ~ ^" + req.http.X-Prefix);
    } else {
        ban("obj.http.X-Path == " + req.url);
    }
    return (synth(200));
}

sub vcl_hash {
    hash_data(req.url);
    if (req.http.X-Pack) {
        hash_data(req.http.X-Pack);
    }
    return (lookup);
}

sub vcl_backend_fetch {
    set bereq.url = "@PREFIX@" + bereq.url + "@QUERY@";
    set bereq.http.Host = "@HOST@:@PORT@";
    unset bereq.http.Accept-Encoding;
    unset bereq.body;
    # The validator of a packed variant is the weak form of the storage's own.
    if (bereq.http.If-None-Match) {
        set bereq.http.If-None-Match = regsub(bereq.http.If-None-Match, "^W/", "");
    }
    return (fetch);
}

sub vcl_backend_response {
    if (beresp.status == 404) {
        return (error(404));
    }
    if (beresp.status != 200 && beresp.status != 304) {
        return (error(502));
    }
    set beresp.http.X-Path = bereq.http.X-Path;
    # Nothing stale is ever served, as Front Door knows no stale-while-revalidate; but what is stale is asked for by its
    # validator.
    set beresp.grace = 0s;
    set beresp.keep = 1d;
    if (beresp.http.Cache-Control ~ "(?i)no-store|no-cache|private") {
        set beresp.uncacheable = true;
        set beresp.ttl = 1s;
    } elsif (!beresp.http.Cache-Control) {
        # Front Door takes one to three days at random.
        set beresp.ttl = 1d;
    } else {
        # Varnish has looked at what the storage sent just now, and a 304 of Blob Storage has no Cache-Control: what it
        # vouches for has, and is believed for as long again.
        set beresp.ttl = std.duration(
            regsub(beresp.http.Cache-Control, "(?i)^.*?(s-maxage|max-age)\s*=\s*([0-9]+).*$", "\2s"), 0s);
        if (beresp.http.Cache-Control ~ "(?i)s-maxage\s*=\s*[0-9]") {
            set beresp.ttl = std.duration(
                regsub(beresp.http.Cache-Control, "(?i)^.*s-maxage\s*=\s*([0-9]+).*$", "\1s"), 0s);
        }
        if (beresp.ttl <= 0s) {
            # With none at all it would not be asked for by its validator.
            set beresp.ttl = 1ms * 0.001;
        }
    }
    if (beresp.http.Content-Type ~ "(?i)^(text/|application/(javascript|json|manifest\+json|xml|xhtml\+xml|vnd\.ms-fontobject)|font/(otf|ttf)|image/svg\+xml)"
        && !beresp.was_304 && beresp.http.Content-Length ~ "^[0-9]+$"
        && beresp.http.Content-Length !~ "^([0-9]{1,3}|10([01][0-9]|2[0-3]))$"
        && beresp.http.Content-Length ~ "^([0-9]{1,6}|[1-7][0-9]{6}|8[0-2][0-9]{5}|83[0-7][0-9]{4}|838[0-7][0-9]{3}|8388[0-5][0-9]{2}|838860[0-8])$") {
        set beresp.http.Vary = "Accept-Encoding";
        if (bereq.http.X-Pack) {
            set beresp.do_gzip = true;
        }
    }
    if (beresp.was_304 && beresp.http.Content-Encoding == "gzip" && beresp.http.ETag !~ "^W/") {
        set beresp.http.ETag = "W/" + beresp.http.ETag;
    }
    return (deliver);
}

sub vcl_backend_error {
    set beresp.grace = 0s;
    set beresp.keep = 0s;
    set beresp.ttl = 0s;
    set beresp.http.X-Path = bereq.http.X-Path;
    set beresp.http.Content-Type = "text/plain; charset=utf-8";
    if (beresp.status == 404) {
        set beresp.ttl = @NEGATIVE@s;
        set beresp.body = "there is no such object" + {"
"};
    } else {
        set beresp.body = "the storage did not answer, or refused" + {"
"};
    }
    return (deliver);
}

sub vcl_deliver {
    # Varnish compares one validator; readers may send several, or `*`.
    if (req.http.If-None-Match && resp.http.ETag && (req.http.If-None-Match == "*"
        || std.strstr(req.http.If-None-Match, regsub(resp.http.ETag, "^W/", "")))) {
        set req.http.If-None-Match = resp.http.ETag;
    }
    call headers;
    set resp.http.X-Cache = "MISS";
    if (obj.hits > 0) {
        set resp.http.X-Cache = "HIT";
    }
    return (deliver);
}

sub vcl_synth {
    set resp.http.Content-Type = "text/plain; charset=utf-8";
    if (resp.status == 405) {
        set resp.http.Allow = "GET, HEAD";
    }
    call headers;
    set resp.http.X-Cache = "HIT";
    set resp.body = resp.reason + {"
"};
    return (deliver);
}

sub headers {
    unset resp.http.X-Path;
    unset resp.http.X-Varnish;
    unset resp.http.Via;
    unset resp.http.Server;
    unset resp.http.Content-MD5;
    unset resp.http.Content-Disposition;
    unset resp.http.x-ms-access-tier;
    unset resp.http.x-ms-access-tier-inferred;
    unset resp.http.x-ms-blob-content-md5;
    unset resp.http.x-ms-blob-type;
    unset resp.http.x-ms-client-request-id;
    unset resp.http.x-ms-creation-time;
    unset resp.http.x-ms-lease-duration;
    unset resp.http.x-ms-lease-state;
    unset resp.http.x-ms-lease-status;
    unset resp.http.x-ms-request-id;
    unset resp.http.x-ms-server-encrypted;
    unset resp.http.x-ms-version;
    # What the rule set of Front Door adds.
    set resp.http.X-Content-Type-Options = "nosniff";
    set resp.http.Access-Control-Allow-Origin = "*";
    set resp.http.Access-Control-Expose-Headers = "Age, ETag, X-Cache";
    set resp.http.Cross-Origin-Resource-Policy = "cross-origin";
    set resp.http.Timing-Allow-Origin = "*";
}
