//! What of a request or an answer is passed on.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_contract::ClientAddress;

/// Headers of one connection, not of the request (RFC 9110, section 7.6.1), besides those that `Connection` names.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Takes away what belongs to the connection that it came by.
pub fn off_the_connection(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// What is passed on to a service behind: the request's own headers, and where it came from. The refresh cookie is no
/// business of theirs.
pub fn passed_on(headers: &HeaderMap, address: Option<ClientAddress>) -> HeaderMap {
    let mut passed = headers.clone();
    off_the_connection(&mut passed);
    for name in [header::COOKIE, header::HOST, header::FORWARDED] {
        passed.remove(name);
    }
    passed.remove("x-forwarded-for");
    if let Some(address) = address.and_then(|address| HeaderValue::from_str(&address.0.to_string()).ok()) {
        passed.insert("x-forwarded-for", address);
    }
    passed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_passed_on() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer x"),
            ("connection", "close, X-Private"),
            ("x-private", "1"),
            ("keep-alive", "timeout=5"),
            ("cookie", "chat_refresh=secret"),
            ("x-forwarded-for", "6.6.6.6"),
            ("forwarded", "for=6.6.6.6"),
            ("host", "chat.example"),
            ("chat-seen", "s"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let passed = passed_on(&headers, Some(ClientAddress([9, 9, 9, 9].into())));
        let mut names: Vec<&str> = passed.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["authorization", "chat-seen", "x-forwarded-for"]);
        assert_eq!(passed["x-forwarded-for"], "9.9.9.9");
        assert!(!passed_on(&headers, None).contains_key("x-forwarded-for"));
    }
}
