//! The flows of RFC 3665, as they look on both sides of a back-to-back user agent. The headings are the RFC's, and so are
//! the numbers of the messages (F1, F2 …). Between them stands this gateway in place of the proxies: it asks for a
//! caller's name with 401 where a proxy would with 407, and each side sees a dialog of its own, without Record-Route.

use crate::ladder::{play, play_in};
use tandem_codecs::Codec;

/// 2.1 Successful New Registration.
#[test]
fn registration_of_a_new_contact() {
    play(
        "
        bob -> tandem REGISTER
        tandem -> bob 401 [WWW-Authenticate ~ Digest | WWW-Authenticate ~ realm=\"tandem.local\" | no Contact]
        bob -> tandem REGISTER (auth | Expires: 3600)
        tandem -> bob 200 [Contact ~ secretof-bob-x@192.0.2.21:5060 | Contact ~ expires=3600]
        ",
    );
}

/// 2.2 Update of Contact List.
#[test]
fn registration_of_another_contact() {
    play(
        "
        bob registers
        bob -> tandem REGISTER (auth | Contact: <sip:bob@192.0.2.22:5060> | Expires: 3600)
        tandem -> bob 200 [Contact ~ secretof-bob-x@192.0.2.21:5060 | Contact ~ bob@192.0.2.22:5060]
        ",
    );
}

/// 2.3 Request for Current Contact List.
#[test]
fn registration_that_only_asks() {
    play(
        "
        bob registers
        bob -> tandem REGISTER (auth | no Contact)
        tandem -> bob 200 [Contact ~ secretof-bob-x@192.0.2.21:5060]
        ",
    );
}

/// 2.4 Cancellation of Registration.
#[test]
fn registration_that_is_cancelled() {
    play(
        "
        bob registers
        bob -> tandem REGISTER (auth | Contact: * | Expires: 0)
        tandem -> bob 200 [no Contact]
        alice calls bob (sdp PCMU)
        tandem -> alice 480
        ",
    );
}

/// 2.5 Unsuccessful Registration. The RFC's registrar challenges a wrong password again (F4 401); here it is forbidden
/// (RFC 3261 §10.3 step 3), so that a phone whose password is wrong doesn't try it for ever.
#[test]
fn registration_with_a_wrong_password() {
    play(
        "
        bob -> tandem REGISTER
        tandem -> bob 401
        bob -> tandem REGISTER (auth wrong)
        tandem -> bob 403 [no Contact]
        alice calls bob (sdp PCMU)
        tandem -> alice 480
        ",
    );
}

/// 3.1 Successful Session Establishment.
#[test]
fn a_session_is_established() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> alice 100
        tandem -> bob INVITE [sdp first=PCMU | Max-Forwards: 69 | has Contact | has Allow | no Record-Route]
        bob -> tandem 180
        tandem -> alice 180 [has Contact | To ~ ;tag= | no sdp]
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK [no sdp]
        tandem -> alice 200 [sdp PCMU | has Contact | To ~ ;tag= | has Allow | has Supported]
        alice -> tandem ACK
        media alice [send PCMU/0 | from bob]
        media bob [send PCMU/0 | from alice]
        bob -> tandem BYE
        tandem -> bob 200
        tandem -> alice BYE
        alice -> tandem 200
        record [status 200 | by callee]
        ",
    );
}

/// 3.2 Session Establishment Through Two Proxies, which record their route towards the called side.
#[test]
fn a_session_through_proxies_that_record_their_route() {
    play(
        "
        alice -> tandem INVITE +15550190001 (sdp PCMU)
        tandem -> alice 401 [WWW-Authenticate ~ Digest]
        alice -> tandem INVITE +15550190001 (auth | sdp PCMU)
        tandem -> alice 100
        tandem -> acme INVITE
        acme -> tandem 100
        acme -> tandem 180 (Record-Route: <sip:ss2.example.com;lr>, <sip:198.51.100.11;lr> | Contact: <sip:bob@client.example.com>)
        tandem -> alice 180 [no Record-Route]
        acme -> tandem 200 (sdp PCMU | Record-Route: <sip:ss2.example.com;lr>, <sip:198.51.100.11;lr> | Contact: <sip:bob@client.example.com>)
        tandem -> acme ACK [uri sip:bob@client.example.com | Route: <sip:198.51.100.11;lr> | Route: <sip:ss2.example.com;lr>]
        tandem -> alice 200 [no Record-Route]
        alice -> tandem ACK
        acme -> tandem BYE
        tandem -> acme 200
        tandem -> alice BYE
        alice -> tandem 200
        ",
    );
}

/// 3.3 Session with Multiple Proxy Authentication: two proxies each ask for credentials in a realm of their own.
#[test]
fn a_session_with_two_proxies_that_ask_who_we_are() {
    play_in(
        |setting| {
            setting.account_at_acme();
            // With more codecs and two proxies' credentials it would be too large for UDP.
            setting.trunk("acme").codecs = vec![Codec::Pcmu];
        },
        "
        alice calls +15550190001 (sdp PCMU)
        tandem -> acme INVITE [no Proxy-Authorization]
        acme -> tandem 407 (Proxy-Authenticate: Digest realm=\"atlanta.example.com\", nonce=\"wf84f1ceczx41ae6cbe5aea9c8e88d359\", qop=\"auth\")
        tandem -> acme INVITE [Proxy-Authorization ~ realm=\"atlanta.example.com\"]
        acme -> tandem 100
        acme -> tandem 407 (Proxy-Authenticate: Digest realm=\"biloxi.example.com\", nonce=\"c1e22c41ae6cbe5ae983a9c8e88d359\", qop=\"auth\")
        tandem -> acme INVITE [Proxy-Authorization ~ realm=\"atlanta.example.com\" | Proxy-Authorization ~ realm=\"biloxi.example.com\"]
        acme -> tandem 180
        tandem -> alice 180
        acme -> tandem 200 (sdp PCMU)
        tandem -> acme ACK [Proxy-Authorization ~ realm=\"atlanta.example.com\" | Proxy-Authorization ~ realm=\"biloxi.example.com\"]
        tandem -> alice 200
        alice -> tandem ACK
        acme -> tandem BYE
        tandem -> acme 200
        tandem -> alice BYE
        alice -> tandem 200
        ",
    );
}

/// 3.4 Successful Session with Proxy Failure: the first says nothing, the second is asked.
#[test]
fn a_session_by_the_second_proxy() {
    play(
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE
        wait 5s
        tandem -> acme INVITE x3
        tandem -> globex INVITE
        globex -> tandem 100
        globex -> tandem 180
        tandem -> alice 180
        globex -> tandem 200 (sdp PCMU)
        tandem -> globex ACK
        tandem -> alice 200
        alice -> tandem ACK
        globex -> tandem BYE
        tandem -> globex 200
        tandem -> alice BYE
        alice -> tandem 200
        wait 30s
        tandem -> acme INVITE x3
        ",
    );
}

/// 3.5 Session Through a SIP ALG: which this gateway is, as all addresses of signalling and media are its own.
#[test]
fn a_session_in_which_no_side_sees_the_others_addresses() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE [sdp first=PCMU ip=192.0.2.1 | Contact ~ @192.0.2.1:5060]
        bob -> tandem 180
        tandem -> alice 180 [Contact ~ @192.0.2.1:5060]
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200 [sdp PCMU ip=192.0.2.1 | Contact ~ @192.0.2.1:5060]
        alice -> tandem ACK
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}

/// 3.6 Session via Redirect and Proxy Servers with SDP in ACK: a server redirects to a proxy (F2), and the caller, who made no
/// offer, finds one in the 200 (F11) and answers it in the ACK (F12).
#[test]
fn a_session_by_a_redirection_whose_offer_is_in_the_answer() {
    play_in(
        |setting| {
            setting.trunk("acme").host = "acme.example".to_owned();
            setting.dns = "
                _sip._udp.acme.example SRV 10 0 5060 redirecting.acme.example
                _sip._udp.acme.example SRV 20 0 5060 proxy.acme.example
                redirecting.acme.example A 198.51.100.11
                proxy.acme.example A 198.51.100.21
            "
            .to_owned();
        },
        "
        alice calls +15550190001
        tandem -> alice 100
        tandem -> acme INVITE [sdp opus G722 PCMA PCMU]
        acme -> tandem 302 (Contact: <sip:+15550190001@198.51.100.21>)
        tandem -> acme2 INVITE [sdp opus G722 PCMA PCMU]
        acme2 -> tandem 100
        acme2 -> tandem 180 (Record-Route: <sip:198.51.100.21;lr>)
        tandem -> alice 180 [no sdp | no Record-Route]
        acme2 -> tandem 200 (sdp PCMU | Record-Route: <sip:198.51.100.21;lr>)
        tandem -> acme2 ACK [no sdp | Route: <sip:198.51.100.21;lr>]
        tandem -> alice 200 [sdp PCMU opus G722 PCMA | no Record-Route]
        alice -> tandem ACK (sdp PCMU)
        media alice [send PCMU/0 | to alice | from acme2]
        media acme2 [send PCMU/0 | from alice]
        acme2 -> tandem BYE
        tandem -> acme2 200
        tandem -> alice BYE
        alice -> tandem 200
        record [legs 3 | leg 1 trunk:acme 302 | leg 2 trunk:acme 200]
        ",
    );
}

/// 3.7 Session with re-INVITE (IP Address Change): the called side moves. Its new Contact is where it is sent to from then
/// on, and the caller needn't know.
#[test]
fn a_session_in_which_one_side_moves() {
    play(
        "
        alice talks to bob (PCMU)
        bob -> tandem re-INVITE (sdp PCMU ip=192.0.2.22 port=47172 | Contact: <sip:bob@192.0.2.21:5060;moved>)
        tandem -> bob 100
        tandem -> bob 200 [sdp PCMU]
        bob -> tandem ACK
        media bob [send PCMU/0 | to 192.0.2.22:47172 | from alice]
        quiet alice
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE [uri sip:bob@192.0.2.21:5060;moved]
        bob -> tandem 200
        ",
    );
}

/// 3.8 Unsuccessful No Answer: the caller gives up.
#[test]
fn nobody_answers_and_the_caller_gives_up() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> alice 100
        tandem -> bob INVITE
        bob -> tandem 100
        bob -> tandem 180
        tandem -> alice 180
        wait 10s
        alice -> tandem CANCEL
        tandem -> alice 200 CANCEL
        tandem -> alice 487 INVITE
        tandem -> bob CANCEL
        bob -> tandem 200 CANCEL
        bob -> tandem 487 INVITE
        record [status 487 | by caller | never answered]
        ",
    );
}

/// 3.9 Unsuccessful Busy.
#[test]
fn the_called_side_is_busy() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> alice 100
        tandem -> bob INVITE
        bob -> tandem 100
        bob -> tandem 486
        tandem -> alice 486 [phrase Busy Here | no sdp]
        record [status 486 | by callee | never answered]
        ",
    );
}

/// 3.10 Unsuccessful No Response from User Agent: the INVITE is repeated until Timer B, and the caller is told 480.
#[test]
fn the_called_side_says_nothing() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> alice 100
        tandem -> bob INVITE
        wait 31s
        tandem -> bob INVITE x5
        wait 1s
        tandem -> bob INVITE x1
        tandem -> alice 480
        record [status 480]
        ",
    );
}

/// 3.11 Unsuccessful Temporarily Unavailable.
#[test]
fn the_called_side_is_unavailable() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> alice 100
        tandem -> bob INVITE
        bob -> tandem 100
        bob -> tandem 180
        tandem -> alice 180
        bob -> tandem 480
        tandem -> alice 480
        record [status 480 | by callee | never answered]
        ",
    );
}
