"""F: texts that are documents, with their canonical form, and texts that are not."""

from __future__ import annotations

from tests.vectors.making.forge import JSON, vector

LIMIT = 1024 * 1024

INVALID: dict[str, str | bytes] = {
    "nothing": "",
    "white space only": " \n",
    "cut short": '{"a":1',
    "byte-order mark": b"\xef\xbb\xbf{}",
    "not UTF-8": b'{"a":"\xff"}',
    "UTF-16": '{"a":1}'.encode("utf-16-le"),
    "overlong UTF-8": b'{"a":"\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"a":"\xed\xa0\x80"}',
    "beyond U+10FFFF": b'{"a":"\xf4\x90\x80\x80"}',
    "duplicate member": '{"a":1,"b":2,"a":1}',
    "duplicate member, spelled differently": '{"a":1,"\\u0061":2}',
    "duplicate member, deep": '{"a":[{"b":{"c":1,"c":1}}]}',
    "duplicate empty name": '{"":1,"":2}',
    "fraction": '{"a":1.0}',
    "exponent": '{"a":1e3}',
    "capital exponent": '{"a":1E3}',
    "negative zero": '{"a":-0}',
    "leading zero": '{"a":01}',
    "leading plus": '{"a":+1}',
    "lone minus": '{"a":-}',
    "hexadecimal": '{"a":0x10}',
    "digits of another script": '{"a":١}',
    "2^53": '{"a":9007199254740992}',
    "-2^53": '{"a":-9007199254740992}',
    "a number of 5,000 digits": '{"a":' + "9" * 5000 + "}",
    "NaN": '{"a":NaN}',
    "Infinity": '{"a":Infinity}',
    "-Infinity": '{"a":-Infinity}',
    "lone high surrogate": '{"a":"\\ud83d"}',
    "lone low surrogate": '{"a":"\\ude00"}',
    "surrogates in the wrong order": '{"a":"\\ude00\\ud83d"}',
    "high surrogate before another character": '{"a":"\\ud83dx"}',
    "lone surrogate in a name": '{"\\ud800":1}',
    "trailing text": '{"a":1} x',
    "two documents": "{}{}",
    "trailing NUL": b"{}\x00",
    "trailing comma in an object": '{"a":1,}',
    "trailing comma in an array": '{"a":[1,]}',
    "comment": '{"a":1}//',
    "single quotes": "{'a':1}",
    "name without quotes": "{a:1}",
    "raw line feed in a string": '{"a":"\n"}',
    "raw NUL in a string": b'{"a":"\x00"}',
    "unknown escape": '{"a":"\\x41"}',
    "short escape": '{"a":"\\u41"}',
    "form feed as white space": '{"a":\f1}',
    "no-break space as white space": '{"a":\u00a01}',
    "capital literal": '{"a":True}',
    "half a literal": '{"a":tru}',
    "missing colon": '{"a" 1}',
    "wrong bracket": '{"a":[1}}',
}  # fmt: skip

ACCEPTED: dict[str, tuple[str, str]] = {
    "empty object": ("{}", "{}"),
    "order of members": ('{"b":1,"a":2,"B":3}', '{"B":3,"a":2,"b":1}'),
    "white space": ('\t\r\n {"a" : [ true , false , null ] }\n', '{"a":[true,false,null]}'),
    "order by UTF-16": ('{"\uffee":1,"\U0001f600":2,"\ue000":3}', '{"\U0001f600":2,"\ue000":3,"\uffee":1}'),
    "order by UTF-16, deep": (
        '{"x":[{"\ufb33":1,"\U0001f600":{"\uffff":1,"\U00010000":2}}]}',
        '{"x":[{"\U0001f600":{"\U00010000":2,"\uffff":1},"\ufb33":1}]}',
    ),
    "escapes": ('{"s":"\\u20ac\\u000F\\u000a\\/\\b\\f\\t\\u0022"}', '{"s":"€\\u000f\\n/\\b\\f\\t\\""}'),
    "escaped pair": ('{"s":"\\ud83d\\ude00"}', '{"s":"\U0001f600"}'),
    "escaped name": ('{"\\u0061b":1}', '{"ab":1}'),
    "DEL and U+2028 as they are": ('{"s":"\x7f\u2028"}', '{"s":"\x7f\u2028"}'),
    "largest integers": ('{"n":[9007199254740991,-9007199254740991,0,-1]}',) * 2,
    "32 levels": ('{"a":' + "[" * 31 + "]" * 31 + "}",) * 2,
}


def files() -> dict[str, JSON]:
    refused = [vector(name, "F1, F2", "document_invalid", text, limit=LIMIT) for name, text in INVALID.items()]
    outermost = {"array": "[]", "string": '"a"', "number": "1", "literal": "null"}
    refused += [
        vector(f"outermost value: {name}", "F2", "schema_invalid", text, limit=LIMIT)
        for name, text in outermost.items()
    ]
    refused += [
        vector("33 levels of arrays", "F1", "limit_exceeded", '{"a":' + "[" * 32 + "]" * 32 + "}", limit=LIMIT),
        vector("33 levels of objects", "F1", "limit_exceeded", '{"a":' * 33 + "1" + "}" * 33, limit=LIMIT),
        vector("10,000 levels", "F1", "limit_exceeded", "[" * 10_000 + "]" * 10_000, limit=LIMIT),
        vector("one byte too long", "F1", "limit_exceeded", '{"a":"' + "x" * 57 + '"}', limit=64),
        vector("too long and no JSON: the length is judged first", "F1", "limit_exceeded", "x" * 65, limit=64),
    ]
    accepted = [
        {**vector(name, "F2, F4", "ok", text, limit=LIMIT), "canonical": canonical}
        for name, (text, canonical) in ACCEPTED.items()
    ]
    accepted.append({**vector("exactly as long as allowed", "F1", "ok", '{"a":"' + "x" * 56 + '"}', limit=64)})
    accepted[-1]["canonical"] = accepted[-1]["text"]
    return {"documents.json": {"vectors": accepted + refused}}
