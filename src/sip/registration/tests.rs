//! A registrar that answers as each test says.

use super::*;
use crate::sip::digest::{Hashes, Verdict, Verifier};
use crate::sip::flow::Transport;
use crate::wire::sip::{Method, Writer};

const REALM: &str = "acme";

struct Desk {
    us: Registration,
    chance: Chance,
    verifier: Verifier,
}

impl Desk {
    fn new(seed: u64) -> Desk {
        let mut settings = RegistrationSettings::new("sip:acme.example", "sip:4711@acme.example", "4711");
        let (username, password) = ("4711".to_owned(), "pw".to_owned());
        settings.credentials = Some(ClientCredentials { username, password, realm: None });
        let mut desk = Desk {
            us: Registration::new(settings, "call-1".to_owned()),
            chance: Chance::from_number(seed),
            verifier: Verifier::new([3; 32], Duration::from_secs(60)),
        };
        desk.us.start(flow(), &mut desk.chance);
        desk
    }

    fn registered(seed: u64, granted: u32) -> Desk {
        let mut desk = Desk::new(seed);
        let asked = desk.asked();
        desk.answer(0, &asked, 200, &[(Name::Contact, &format!("{};expires={granted}", asked.contact))]);
        assert_eq!(desk.us.state(), RegistrationState::Registered { until: at(u64::from(granted)) });
        desk
    }

    fn asked(&mut self) -> Register {
        let Some(Action::Register(asked)) = self.us.poll_action() else { panic!("nothing is asked") };
        assert_eq!(self.us.poll_action(), None);
        asked
    }

    fn is_silent(&mut self) -> bool {
        self.us.poll_action().is_none()
    }

    fn answer(&mut self, seconds: u64, asked: &Register, status: u16, headers: &[(Name, &str)]) {
        let mut writer = Writer::response(status, "");
        writer.header(Name::CallId, &asked.call_id).header(Name::CSeq, format!("{} REGISTER", asked.cseq));
        for (name, value) in headers {
            writer.header(*name, value);
        }
        let message = Message::parse(writer.finish()).unwrap();
        self.us.answered(at(seconds), &message, &mut self.chance);
    }

    /// A 401 as our own verifier would ask.
    fn challenge(&mut self, seconds: u64, asked: &Register, stale: bool) {
        let challenges = self.verifier.challenge(at(seconds), REALM, stale, [192, 0, 2, 1].into());
        let headers: Vec<_> = challenges.iter().map(|text| (Name::WwwAuthenticate, text.as_str())).collect();
        self.answer(seconds, asked, 401, &headers);
    }

    fn verdict(&mut self, seconds: u64, asked: &Register) -> Verdict {
        let mut writer = Writer::request(&Method::Register, &asked.uri);
        writer.header(Name::CSeq, format!("{} REGISTER", asked.cseq));
        for (name, value) in &asked.headers {
            writer.header(*name, value);
        }
        let message = Message::parse(writer.finish()).unwrap();
        let lookup = |_: &str| Some(Hashes::from_password("4711", REALM, "pw"));
        self.verifier.verify(at(seconds), &message, REALM, Name::Authorization, [192, 0, 2, 1].into(), lookup)
    }

    /// Seconds until the next try.
    fn wait(&self, from: u64) -> f64 {
        let wake = self.us.poll_timeout().expect("nothing is planned");
        (wake - at(from)).as_secs_f64()
    }

    /// Lets the time come at which the next request is due.
    fn wake(&mut self) -> Register {
        while let Some(wake) = self.us.poll_timeout() {
            self.us.handle_timeout(wake, &mut self.chance);
            if let Some(Action::Register(asked)) = self.us.poll_action() {
                return asked;
            }
        }
        panic!("nothing is planned");
    }

    fn refused_status(&self) -> Option<u16> {
        match self.us.state() {
            RegistrationState::Refused { status, .. } => Some(status),
            _ => None,
        }
    }
}

fn at(seconds: u64) -> Time {
    Time::from_millis(seconds * 1_000)
}

fn flow() -> Flow {
    let (local, remote) = ("192.0.2.1:5060".parse().unwrap(), "192.0.2.9:5060".parse().unwrap());
    Flow { transport: Transport::Udp, local, remote }
}

fn header(asked: &Register, name: Name) -> Option<&str> {
    asked.headers.iter().find(|(found, _)| *found == name).map(|(_, value)| value.as_str())
}

#[test]
fn the_first_request_says_who_and_where_we_are() {
    let mut desk = Desk::new(1);
    assert_eq!(desk.us.state(), RegistrationState::Registering);
    let asked = desk.asked();
    assert_eq!((asked.uri.as_str(), asked.aor.as_str()), ("sip:acme.example", "<sip:4711@acme.example>"));
    assert_eq!((asked.call_id.as_str(), asked.cseq, asked.expires), ("call-1", 1, 3_600));
    assert_eq!(asked.contact, "<sip:4711@192.0.2.1:5060>");
    assert_eq!(header(&asked, Name::Expires), Some("3600"));
    assert_eq!(header(&asked, Name::Authorization), None);
}

#[test]
fn a_challenge_is_answered_and_later_requests_carry_the_answer_at_once() {
    let mut desk = Desk::new(1);
    let first = desk.asked();
    desk.challenge(0, &first, false);
    let second = desk.asked();
    assert_eq!((second.cseq, second.call_id.as_str()), (2, "call-1"));
    let ok = Verdict::Ok { user: "4711".to_owned() };
    assert_eq!(desk.verdict(0, &second), ok);
    desk.answer(0, &second, 200, &[(Name::Expires, "50")]);
    let refresh = desk.wake();
    assert_eq!((refresh.cseq, refresh.call_id.as_str()), (3, "call-1"));
    assert_eq!(desk.verdict(45, &refresh), ok, "with the next count of the same nonce");
    assert_eq!(desk.us.state(), RegistrationState::Registered { until: at(50) }, "a refresh keeps what there is");
}

#[test]
fn a_stale_nonce_is_renewed_and_endless_challenges_are_not_followed() {
    let mut desk = Desk::new(1);
    let first = desk.asked();
    desk.challenge(0, &first, false);
    let second = desk.asked();
    desk.challenge(0, &second, true);
    let third = desk.asked();
    desk.challenge(0, &third, true);
    assert!(desk.is_silent());
    assert_eq!(desk.refused_status(), Some(401));
}

#[test]
fn a_second_challenge_that_is_not_stale_means_a_wrong_password() {
    let mut desk = Desk::new(1);
    let first = desk.asked();
    desk.challenge(0, &first, false);
    let second = desk.asked();
    desk.challenge(0, &second, false);
    assert!(desk.is_silent());
    let RegistrationState::Refused { status: 401, why, until } = desk.us.state() else { panic!() };
    assert_eq!(why, "username or password not accepted");
    assert!((900..=1_800).contains(&(until.millis() / 1_000)), "slowly");
    let again = desk.wake();
    desk.challenge(2_000, &again, false);
    desk.asked();
}

#[test]
fn a_proxy_and_the_registrar_may_both_challenge() {
    let mut desk = Desk::new(1);
    let first = desk.asked();
    desk.answer(0, &first, 407, &[(Name::ProxyAuthenticate, "Digest realm=\"p\", nonce=\"1\", qop=\"auth\"")]);
    let second = desk.asked();
    assert!(header(&second, Name::ProxyAuthorization).is_some());
    desk.challenge(0, &second, false);
    let third = desk.asked();
    assert!(header(&third, Name::ProxyAuthorization).unwrap().contains("nc=00000002"));
    assert!(header(&third, Name::Authorization).is_some());
}

#[test]
fn without_a_password_or_a_known_scheme_a_challenge_refuses_us() {
    let settings = RegistrationSettings::new("sip:acme.example", "sip:4711@acme.example", "4711");
    let mut desk = Desk::new(1);
    desk.us = Registration::new(settings, "call-1".to_owned());
    desk.us.start(flow(), &mut desk.chance);
    let asked = desk.asked();
    desk.challenge(0, &asked, false);
    assert_eq!(desk.refused_status(), Some(401));
    let mut desk = Desk::new(1);
    let asked = desk.asked();
    desk.answer(0, &asked, 401, &[(Name::WwwAuthenticate, "Basic realm=\"x\"")]);
    assert_eq!(desk.refused_status(), Some(401));
}

#[test]
fn what_is_granted_is_read_from_our_own_contact() {
    for (headers, granted) in [
        (vec![(Name::Contact, "<sip:other@h>;expires=7, <sip:4711@192.0.2.1:5060>;expires=100")], 100),
        (vec![(Name::Contact, "<sip:4711@192.0.2.1:5060>"), (Name::Expires, "200")], 200),
        (vec![(Name::Contact, "<sip:4711@203.0.113.5:1024>;expires=90"), (Name::Expires, "200")], 90),
        (vec![(Name::Contact, "<sip:x@h>;expires=7"), (Name::Expires, "300")], 300),
        (vec![(Name::Contact, "<sip:4711@192.0.2.1:5060>;expires=100"), (Name::Expires, "200")], 100),
        (vec![], 3_600),
        (vec![(Name::Contact, "<sip:"), (Name::Expires, "400")], 400),
    ] {
        let mut desk = Desk::new(1);
        let asked = desk.asked();
        desk.answer(0, &asked, 200, &headers);
        assert_eq!(desk.us.state(), RegistrationState::Registered { until: at(granted) }, "{headers:?}");
    }
    let mut desk = Desk::new(1);
    let asked = desk.asked();
    desk.answer(0, &asked, 200, &[(Name::Expires, "0")]);
    assert!(matches!(desk.us.state(), RegistrationState::Waiting { .. }));
}

#[test]
fn a_refresh_comes_at_50_to_90_percent() {
    let waits: Vec<_> = (0..200).map(|seed| Desk::registered(seed, 1_000).wait(0)).collect();
    assert!(waits.iter().all(|wait| (500.0..=900.0).contains(wait)));
    assert!(waits.iter().any(|&wait| wait < 560.0) && waits.iter().any(|&wait| wait > 840.0), "spread");
}

#[test]
fn too_brief_is_asked_again_for_longer_and_remembered() {
    let mut desk = Desk::new(1);
    desk.us.expires = 60;
    let first = desk.asked();
    desk.answer(0, &first, 423, &[(Name::MinExpires, "7200")]);
    let second = desk.asked();
    assert_eq!((second.expires, header(&second, Name::Expires)), (7_200, Some("7200")));
    desk.answer(0, &second, 200, &[]);
    assert_eq!(desk.wake().expires, 7_200);
    for min in ["7200", "99999999999", "x", "4000000"] {
        let mut desk = Desk::registered(1, 100);
        desk.us.expires = 7_200;
        let asked = desk.wake();
        desk.answer(60, &asked, 423, &[(Name::MinExpires, min)]);
        assert_eq!(desk.refused_status(), Some(423), "{min}");
    }
}

#[test]
fn an_ever_rising_minimum_is_not_followed() {
    let mut desk = Desk::new(1);
    let mut asked = desk.asked();
    for min in ["4000", "4001"] {
        desk.answer(0, &asked, 423, &[(Name::MinExpires, min)]);
        asked = desk.asked();
    }
    desk.answer(0, &asked, 423, &[(Name::MinExpires, "4002")]);
    assert_eq!(desk.refused_status(), Some(423));
}

#[test]
fn failures_back_off_up_to_half_an_hour_and_success_forgives() {
    let mut desk = Desk::new(1);
    let mut now = 0;
    for (i, upper) in [60.0, 120.0, 240.0, 480.0, 960.0, 1_800.0, 1_800.0, 1_800.0].into_iter().enumerate() {
        let asked = if i == 0 { desk.asked() } else { desk.wake() };
        match i % 3 {
            0 => desk.us.failed(at(now), Unanswered::Timeout, &mut desk.chance),
            1 => desk.answer(now, &asked, 408, &[]),
            _ => desk.answer(now, &asked, 500, &[]),
        }
        let wait = desk.wait(now);
        assert!((upper / 2.0..=upper).contains(&wait), "failure {i}: {wait}");
        assert!(matches!(desk.us.state(), RegistrationState::Waiting { .. }));
        now += 2_000;
    }
    let asked = desk.wake();
    desk.answer(now, &asked, 200, &[(Name::Expires, "100")]);
    desk.wake();
    desk.us.failed(at(now), Unanswered::Transport, &mut desk.chance);
    assert!(desk.us.poll_timeout().unwrap() <= at(now + 100));
}

#[test]
fn a_failed_refresh_is_registered_until_it_expires() {
    let mut desk = Desk::registered(1, 1_000);
    desk.wake();
    desk.us.failed(at(900), Unanswered::Timeout, &mut desk.chance);
    assert_eq!(desk.us.state(), RegistrationState::Registered { until: at(1_000) });
    desk.wake();
    desk.us.failed(at(960), Unanswered::Timeout, &mut desk.chance);
    assert_eq!(desk.us.poll_timeout(), Some(at(1_000)));
    desk.us.handle_timeout(at(1_000), &mut desk.chance);
    assert!(matches!(desk.us.state(), RegistrationState::Waiting { why, .. } if why == "no answer"));
    assert!(desk.is_silent());
}

#[test]
fn retry_after_is_respected_within_reason() {
    for (value, least, most) in [
        ("120", 120.0, 180.0),
        ("120;duration=60", 120.0, 180.0),
        ("120 (maintenance)", 120.0, 180.0),
        ("0", 5.0, 7.5),
        ("99999999999", 3_600.0, 5_400.0),
        ("soon", 30.0, 60.0),
    ] {
        let mut desk = Desk::new(7);
        let asked = desk.asked();
        desk.answer(0, &asked, 503, &[(Name::RetryAfter, value)]);
        let wait = desk.wait(0);
        assert!((least..=most).contains(&wait), "{value}: {wait}");
    }
}

#[test]
fn a_refusal_is_told_and_tried_again_slowly() {
    for status in [403, 404, 400, 420, 603, 302] {
        let mut desk = Desk::registered(1, 1_000);
        let asked = desk.wake();
        desk.answer(600, &asked, status, &[(Name::Contact, "<sip:elsewhere@h>")]);
        assert_eq!(desk.refused_status(), Some(status));
        assert!((900.0..=1_800.0).contains(&desk.wait(600)));
        assert!(desk.is_silent(), "a redirection isn't followed either");
    }
}

#[test]
fn a_network_that_is_back_is_used_at_once() {
    let mut desk = Desk::new(1);
    desk.asked();
    for _ in 0..8 {
        desk.us.failed(at(0), Unanswered::Transport, &mut desk.chance);
        desk.wake();
    }
    desk.us.failed(at(10_000), Unanswered::Transport, &mut desk.chance);
    desk.us.network_is_back(at(10_001), &mut desk.chance);
    assert!(desk.wait(10_001) < 2.0);
    desk.wake();
    desk.us.network_is_back(at(10_003), &mut desk.chance);
    desk.us.failed(at(10_004), Unanswered::Timeout, &mut desk.chance);
    assert!(desk.wait(10_004) < 2.0, "the request in flight was lost with the network");
    desk.wake();
    desk.us.failed(at(10_006), Unanswered::Timeout, &mut desk.chance);
    assert!(desk.wait(10_006) >= 30.0, "and then patience again");
    let mut desk = Desk::registered(1, 1_000);
    desk.us.network_is_back(at(10), &mut desk.chance);
    assert!(desk.wait(10) < 2.0, "our address may be another");
}

#[test]
fn unregistering_takes_back_what_was_granted() {
    let mut desk = Desk::registered(1, 1_000);
    desk.us.unregister(at(5), &mut desk.chance);
    assert_eq!(desk.us.state(), RegistrationState::Unregistering);
    let asked = desk.asked();
    assert_eq!((asked.expires, header(&asked, Name::Expires), asked.cseq), (0, Some("0"), 2));
    desk.challenge(5, &asked, false);
    let asked = desk.asked();
    assert_eq!((asked.expires, asked.cseq), (0, 3));
    desk.answer(5, &asked, 200, &[]);
    assert_eq!((desk.us.state(), desk.us.poll_timeout()), (RegistrationState::Idle, None));
    assert!(desk.is_silent());
}

#[test]
fn unregistering_ends_whatever_the_registrar_does() {
    for status in [403, 500, 423, 302] {
        let mut desk = Desk::registered(1, 1_000);
        desk.us.unregister(at(5), &mut desk.chance);
        let asked = desk.asked();
        desk.answer(5, &asked, status, &[]);
        assert_eq!((desk.us.state(), desk.us.poll_timeout()), (RegistrationState::Idle, None));
    }
    let mut desk = Desk::registered(1, 1_000);
    desk.us.unregister(at(5), &mut desk.chance);
    let mut asked = desk.asked();
    for _ in 0..2 {
        desk.challenge(5, &asked, true);
        asked = desk.asked();
    }
    desk.challenge(5, &asked, true);
    assert_eq!(desk.us.state(), RegistrationState::Idle);
    let mut desk = Desk::registered(1, 1_000);
    desk.us.unregister(at(5), &mut desk.chance);
    desk.asked();
    desk.us.failed(at(40), Unanswered::Timeout, &mut desk.chance);
    assert_eq!(desk.us.state(), RegistrationState::Idle);
}

#[test]
fn unregistering_waits_for_the_request_in_flight() {
    let mut desk = Desk::new(1);
    let asked = desk.asked();
    desk.us.unregister(at(1), &mut desk.chance);
    assert!(desk.is_silent());
    desk.answer(2, &asked, 200, &[(Name::Expires, "100")]);
    let asked = desk.asked();
    assert_eq!((asked.expires, asked.cseq), (0, 2));
    desk.answer(2, &asked, 200, &[]);
    assert_eq!(desk.us.state(), RegistrationState::Idle);
    let mut desk = Desk::new(1);
    desk.us.unregister(at(1), &mut desk.chance);
    assert_eq!(desk.us.state(), RegistrationState::Idle, "nothing was sent yet");
    assert!(desk.is_silent());
    desk.us.start(flow(), &mut desk.chance);
    assert_eq!(desk.asked().call_id, "call-1");
}

#[test]
fn answers_to_other_requests_change_nothing() {
    let mut desk = Desk::new(1);
    let asked = desk.asked();
    let other = Register { cseq: 7, ..asked.clone() };
    desk.answer(0, &other, 200, &[]);
    let other = Register { call_id: "other".to_owned(), ..asked.clone() };
    desk.answer(0, &other, 403, &[]);
    desk.answer(0, &asked, 100, &[]);
    assert_eq!(desk.us.state(), RegistrationState::Registering);
    desk.answer(0, &asked, 200, &[]);
    desk.answer(0, &asked, 403, &[]);
    assert!(matches!(desk.us.state(), RegistrationState::Registered { .. }), "a late copy is late");
    desk.us.failed(at(1), Unanswered::Timeout, &mut desk.chance);
    assert!(matches!(desk.us.state(), RegistrationState::Registered { .. }));
}

proptest::proptest! {
    /// Whatever the registrar answers: CSeq rises, a round has an end, a pause follows it, and then another round.
    #[test]
    fn no_registrar_keeps_us_busy_or_puts_us_to_sleep(seed: u64, answers in proptest::collection::vec(0u8..9, 1..60)) {
        let mut desk = Desk::new(seed);
        let (mut now, mut last, mut in_a_row) = (0, 0, 0);
        for kind in answers {
            let asked = match desk.us.poll_action() {
                Some(Action::Register(asked)) => asked,
                None => {
                    proptest::prop_assert!(desk.wait(now) >= 1.0);
                    now += desk.wait(now).ceil() as u64;
                    in_a_row = 0;
                    desk.wake()
                }
            };
            in_a_row += 1;
            proptest::prop_assert!(in_a_row <= 7, "1, and twice each for 401, 407 and 423");
            proptest::prop_assert!(asked.cseq > last);
            last = asked.cseq;
            let longer = (asked.expires + 1).to_string();
            match kind {
                0 => desk.answer(now, &asked, 200, &[(Name::Expires, "1")]),
                1 => desk.answer(now, &asked, 200, &[]),
                2 => desk.challenge(now, &asked, true),
                3 => desk.challenge(now, &asked, false),
                4 => desk.answer(now, &asked, 423, &[(Name::MinExpires, &longer)]),
                5 => desk.answer(now, &asked, 503, &[(Name::RetryAfter, "1")]),
                6 => desk.answer(now, &asked, 403, &[]),
                7 => desk.us.failed(at(now), Unanswered::Timeout, &mut desk.chance),
                _ => desk.answer(now, &asked, 407, &[(Name::ProxyAuthenticate, "Digest realm=\"p\", nonce=\"1\"")]),
            }
            let goes_on = desk.us.action.is_some() || desk.us.poll_timeout().is_some();
            proptest::prop_assert!(goes_on);
        }
    }
}
