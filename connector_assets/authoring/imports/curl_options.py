"""The options of curl by name: what each is called in short, and which say nothing of a request."""

from __future__ import annotations

IGNORED = frozenset(
    (
        *("output", "write-out", "connect-timeout", "max-time", "retry"),
        *("cacert", "cookie-jar", "resolve", "max-redirs"),
        *("dump-header", "retry-delay", "limit-rate", "retry-max-time", "capath", "ciphers"),
        *("interface", "proxy-user", "noproxy", "dns-servers", "range", "stderr"),
        *("trace", "trace-ascii", "tls-max", "proto", "proto-default", "proto-redir"),
        *("output-dir", "connect-to", "local-port", "doh-url"),
        *("pinnedpubkey", "crlfile", "curves", "max-filesize", "time-cond"),
        *("pass", "engine", "socks5", "socks5-hostname", "socks4", "preproxy"),
        *(
            "proxy-header",
            "rate",
            "happy-eyeballs-timeout-ms",
            "expect100-timeout",
            "tls13-ciphers",
        ),
        *("hsts", "alt-svc", "ip-tos", "variable", "remove-on-error", "parallel-max"),
        *("delegation", "unix-socket", "speed-time", "speed-limit", "keepalive-time", "cert-type"),
        *("key-type",),
    )
)
"""Options with a value that is of how curl behaves, and not of what it asks."""

LEFT_OUT = {
    "aws-sigv4": ("auth", "write the auth as aws_sigv4"),
    "cert": ("network", "set network.clientCertificate in the connection"),
    "key": ("network", "set network.clientKey in the connection"),
    "proxy": ("network", "set network.proxy in the connection, or --proxy"),
    "config": ("curl", "the file is not opened; write its options into the command"),
    "netrc-file": ("auth", "the file is not opened; write its login as -u USER:PASSWORD"),
    "upload-file": ("body", "the file is not opened; write it into body"),
}
"""Options that change what is asked and are not drafted: where it belongs, and how."""

FLAGS = frozenset(
    (
        *("get", "head", "insecure", "location", "silent", "show-error", "compressed", "fail"),
        *("include", "verbose", "globoff", "no-buffer", "ipv4", "ipv6", "http1.0", "http1.1"),
        *("http2", "http2-prior-knowledge", "http3", "digest", "basic", "anyauth", "progress-bar"),
        *("location-trusted", "fail-with-body", "no-progress-meter", "tlsv1.2", "tlsv1.3", "raw"),
        *("remote-name", "ssl-reqd", "path-as-is", "tcp-nodelay", "no-keepalive", "disable"),
    )
)
SHORT = {
    "X": "request",
    "H": "header",
    "d": "data",
    "F": "form",
    "u": "user",
    "b": "cookie",
    "A": "user-agent",
    "e": "referer",
    "o": "output",
    "w": "write-out",
    "x": "proxy",
    "m": "max-time",
    "E": "cert",
    "c": "cookie-jar",
    "D": "dump-header",
    "r": "range",
    "G": "get",
    "I": "head",
    "k": "insecure",
    "L": "location",
    "s": "silent",
    "S": "show-error",
    "f": "fail",
    "i": "include",
    "v": "verbose",
    "g": "globoff",
    "N": "no-buffer",
    "4": "ipv4",
    "6": "ipv6",
    "0": "http1.0",
    "O": "remote-name",
    "#": "progress-bar",
    "q": "disable",
    "U": "proxy-user",
    "K": "config",
    "T": "upload-file",
    "z": "time-cond",
    "y": "speed-time",
    "Y": "speed-limit",
}
