//! The refresh cookie (RFC 6265): only `/auth` ever gets it, no script reads it, no other site sends it.

use common::limits;
use http::{HeaderMap, HeaderValue, header};

use crate::SecureCookies;

const NAME: &str = "chat_refresh";

/// The refresh token that a browser sent.
pub fn read(headers: &HeaderMap) -> Option<String> {
    let cookies = headers
        .get_all(header::COOKIE)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    let pairs = cookies
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .filter(|(name, value)| *name == NAME && !value.is_empty())
        .map(|(_, value)| value.to_owned())
        .next()
}

pub fn set(token: &str, secure: bool) -> Option<HeaderValue> {
    write(token, limits::REFRESH_TOKEN_LIFE.as_secs(), secure)
}

pub fn cleared(secure: bool) -> Option<HeaderValue> {
    write("", 0, secure)
}

fn write(value: &str, max_age: u64, secure: bool) -> Option<HeaderValue> {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{NAME}={value}; Path=/auth; Max-Age={max_age}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&text).ok()
}

/// Whether the cookie has to be `Secure` on this request.
pub fn is_secure(policy: SecureCookies, headers: &HeaderMap) -> bool {
    match policy {
        SecureCookies::Always => true,
        SecureCookies::Never => false,
        SecureCookies::Auto => {
            let https = headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
            let host = headers
                .get(header::HOST)
                .and_then(|host| host.to_str().ok())
                .unwrap_or_default();
            https || !is_loopback(host)
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<std::net::IpAddr>();
    name == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_secure_but_on_plain_loopback() {
        let secure = |host: &str, proto: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            if let Some(proto) = proto {
                headers.insert("x-forwarded-proto", proto.parse().unwrap());
            }
            is_secure(SecureCookies::Auto, &headers)
        };
        assert!(!secure("127.0.0.1:8080", None) && !secure("localhost", None) && !secure("[::1]:80", None));
        assert!(secure("chat.example", None) && secure("127.0.0.1", Some("https")) && secure("127.0.0.1.evil", None));
    }

    #[test]
    fn the_cookie_is_read_among_others() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "a=b; chat_refresh=tok; c=d".parse().unwrap());
        assert_eq!(read(&headers).as_deref(), Some("tok"));
    }
}
