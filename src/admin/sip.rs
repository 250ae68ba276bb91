//! SIP over WebSocket (RFC 7118) under `/sip`. Each message of a socket is one of SIP; what it says is none of ours here.

use super::answer::Refusal;
use super::router::AppState;
use super::serve::Caller;
use crate::shell::transport::{FIRST_MESSAGE_LIMIT, Guest, Guests};
use crate::sip::flow::{Flow, Transport};
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use std::time::Duration;
use tokio::time::{Instant, interval, sleep_until, timeout};

/// Browsers answer a ping by themselves; one that doesn't within a second interval is gone, and so are its registrations.
const PING_INTERVAL: Duration = Duration::from_secs(30);

pub async fn upgrade(
    State(state): State<AppState>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    headers: HeaderMap,
    socket: WebSocketUpgrade,
) -> Response {
    let Some(guests) = state.sip.clone() else {
        return Refusal::new(StatusCode::NOT_FOUND, "no SIP is spoken here", "ask the gateway itself").into_response();
    };
    let settings = state.settings.load();
    let ours = settings.http.origins.iter().map(String::as_str).chain([settings.sip.domain.as_str()]);
    if !is_welcome(&headers, ours) {
        return Refusal::new(
            StatusCode::FORBIDDEN,
            "pages of that origin may not speak SIP with this gateway",
            "add its host to `origins` in [http]",
        )
        .into_response();
    }
    let socket = socket.protocols(["sip"]);
    // RFC 7118 §4: both sides name the subprotocol, or there is no connection.
    if socket.selected_protocol().is_none() {
        return Refusal::new(
            StatusCode::BAD_REQUEST,
            "the WebSocket doesn't ask for the subprotocol `sip`",
            "open it as new WebSocket(url, \"sip\")",
        )
        .into_response();
    }
    let transport = if caller.is_secure { Transport::Wss } else { Transport::Ws };
    let flow = Flow { transport, local: caller.local, remote: caller.remote };
    let Some(place) = guests.place(flow) else {
        return Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "there are too many SIP connections, in all or from that address",
            "try again later, or raise `tcp_connections` or `tcp_connections_per_address` in [limits]",
        )
        .into_response();
    };
    let most = guests.message_bytes();
    socket.max_message_size(most).max_frame_size(most).on_upgrade(async move |socket| {
        caller.lease.release();
        if let Some(guest) = guests.welcome(flow, place).await {
            converse(socket, guest, &guests).await;
        }
    })
}

/// Browsers name the page that asks. Others name none, and prove themselves by digest like any phone.
fn is_welcome<'a>(headers: &HeaderMap, mut ours: impl Iterator<Item = &'a str>) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Some(host) = origin.to_str().ok().and_then(host_of_origin) else { return false };
    let here = headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(without_port);
    here.is_some_and(|here| here.eq_ignore_ascii_case(host)) || ours.any(|known| known.eq_ignore_ascii_case(host))
}

fn host_of_origin(origin: &str) -> Option<&str> {
    let (_, authority) = origin.split_once("://")?;
    Some(without_port(authority))
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Carries messages both ways until either side has had enough.
async fn converse(mut socket: WebSocket, guest: Guest, guests: &Guests) {
    let (idle, patience) = (guests.idle(), guests.message_time());
    let mut pings = interval(PING_INTERVAL);
    pings.tick().await;
    let mut is_asked = false;
    // As over TCP, line ends and pongs alone keep nobody.
    let mut idle_at = Instant::now() + FIRST_MESSAGE_LIMIT.min(idle);
    let mut is_used = false;
    loop {
        let (said, is_message) = tokio::select! {
            waiting = guest.next() => match waiting {
                Some(bytes) => (Some(outgoing(bytes)), false),
                None => break,
            },
            received = socket.recv() => {
                is_asked = false;
                match received {
                    Some(Ok(Message::Text(text))) => (take(&guest, Bytes::from(text)).await, true),
                    Some(Ok(Message::Binary(bytes))) => (take(&guest, bytes).await, true),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => (None, false),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                }
            },
            _ = pings.tick() => {
                if is_asked {
                    return;
                }
                is_asked = true;
                (Some(Message::Ping(Bytes::new())), false)
            }
            () = sleep_until(idle_at) => break,
        };
        is_used |= is_message && said.is_none();
        if is_message && is_used {
            idle_at = Instant::now() + idle;
        }
        if let Some(message) = said
            && !matches!(timeout(patience, socket.send(message)).await, Ok(Ok(())))
        {
            return;
        }
    }
    let _ = timeout(patience, socket.send(Message::Close(None))).await;
}

/// Hands a message in, or answers a keep-alive (RFC 5626 §4.4.1, RFC 7118 §6).
async fn take(guest: &Guest, bytes: Bytes) -> Option<Message> {
    if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
        return (bytes.len() >= 4).then(|| Message::text("\r\n"));
    }
    // The loop ends with the gateway, and this connection with it.
    guest.hand_in(bytes).await;
    None
}

/// Text where it is one (RFC 7118 §5.1).
fn outgoing(bytes: Bytes) -> Message {
    match axum::extract::ws::Utf8Bytes::try_from(bytes.clone()) {
        Ok(text) => Message::Text(text),
        Err(_) => Message::Binary(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_strangers_are_not_welcome() {
        let asked = |origin: Option<&str>, host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            is_welcome(&headers, ["example.net"].into_iter())
        };
        assert!(asked(None, "gw:8080"));
        assert!(asked(Some("http://gw:8080"), "gw:8080"));
        assert!(asked(Some("https://GW"), "gw:8443"));
        assert!(asked(Some("https://[::1]:8443"), "[::1]:8443"));
        assert!(asked(Some("https://example.net"), "gw"));
        assert!(!asked(Some("https://evil.example"), "gw"));
        assert!(!asked(Some("https://example.net.evil.example"), "gw"));
        assert!(!asked(Some("null"), "gw"));
    }
}
