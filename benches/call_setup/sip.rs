//! As much SIP as a caller and a callee need who know what to expect.

use std::net::SocketAddr;

/// The lines that an answer repeats of its request (RFC 3261 §8.2.6).
pub fn answer(request: &str, status: &str, tag: &str, contact: SocketAddr, body: &str) -> String {
    let mut text = format!("SIP/2.0 {status}\r\n");
    for line in head(request) {
        let name = line.split(':').next().unwrap_or_default();
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
        if is("To") && !line.contains("tag=") {
            text.push_str(line);
            text.push_str(";tag=");
            text.push_str(tag);
            text.push_str("\r\n");
        } else if is("Via") || is("From") || is("To") || is("Call-ID") || is("CSeq") || is("Record-Route") {
            text.push_str(line);
            text.push_str("\r\n");
        }
    }
    close(text, contact, body)
}

/// A request within the dialog that `response`, an answer to our INVITE, made.
pub fn within(response: &str, method: &str, cseq: u32, branch: &str, local: SocketAddr) -> String {
    let target = header(response, "Contact").and_then(|it| it.split(['<', '>']).nth(1)).unwrap_or("sip:127.0.0.1");
    let mut text = format!("{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{branch}\r\n");
    let routes: Vec<&str> = head(response).filter_map(|line| line.strip_prefix("Record-Route: ")).collect();
    for route in routes.iter().rev() {
        text.push_str(&format!("Route: {route}\r\n"));
    }
    for name in ["From", "To", "Call-ID"] {
        text.push_str(&format!("{name}: {}\r\n", header(response, name).unwrap_or_default()));
    }
    text.push_str(&format!("CSeq: {cseq} {method}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"));
    text
}

pub fn invite(server: SocketAddr, local: SocketAddr, call: usize, body: &str) -> String {
    let text = format!(
        "INVITE sip:{0}@{server} SIP/2.0\r\nVia: SIP/2.0/UDP {local};rport;branch=z9hG4bKi{call}\r\nMax-Forwards: 70\r\n\
         From: <sip:bench@{local}>;tag=a{call}\r\nTo: <sip:{0}@{server}>\r\nCall-ID: c{call}@{local}\r\nCSeq: 1 INVITE\r\n",
        number(call)
    );
    close(text, local, body)
}

fn close(mut text: String, contact: SocketAddr, body: &str) -> String {
    text.push_str(&format!("Contact: <sip:bench@{contact}>\r\n"));
    if !body.is_empty() {
        text.push_str("Content-Type: application/sdp\r\n");
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    text
}

/// The number that is called in a call.
pub fn number(call: usize) -> String {
    format!("9{:07}", call % 10_000_000)
}

pub fn header<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    head(message).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn head(message: &str) -> impl Iterator<Item = &str> {
    message.split("\r\n").skip(1).take_while(|line| !line.is_empty())
}

pub fn description(address: SocketAddr) -> String {
    let ip = address.ip();
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {} RTP/AVP 0 8 101\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=sendrecv\r\n",
        address.port()
    )
}
