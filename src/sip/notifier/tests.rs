use super::*;
use crate::sip::flow::Transport;
use bytes::Bytes;

struct Desk {
    notifier: Notifier,
    now: Time,
    requests: u64,
}

impl Desk {
    fn new() -> Desk {
        let limits = NotifierLimits {
            min: Duration::from_secs(60),
            max: Duration::from_secs(3_600),
            subscriptions: 3,
            per_watcher: 2,
        };
        Desk { notifier: Notifier::new(limits), now: Time::from_millis(1_000), requests: 0 }
    }

    fn subscribe(&mut self, watcher: &str, resource: &str, extra: &str) -> Outcome {
        let message = subscribe(watcher, "", 1, extra);
        let (package, tag) = (Package::Dialog, format!("to-{watcher}-{resource}"));
        let wish = Wish { watcher, resource, package, message: &message, flow: flow(), local_tag: &tag };
        self.notifier.subscribe(self.now, wish)
    }

    fn refresh(&mut self, watcher: &str, resource: &str, cseq: u32, extra: &str) -> Outcome {
        let message = subscribe(watcher, &format!(";tag=to-{watcher}-{resource}"), cseq, extra);
        self.notifier.refresh(self.now, &message, flow())
    }

    /// All that is due, sent: `watcher state version`.
    fn tell(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        while let Some(due) = self.notifier.poll_due() {
            let request = self.notifier.notify(self.now, due.id, None).unwrap();
            self.requests += 1;
            self.notifier.sent(due.id, RequestId(self.requests));
            let (_, state) = request.headers.iter().find(|(name, _)| *name == Name::SubscriptionState).unwrap();
            told.push(format!("{} {state} {}", due.watcher, due.version));
        }
        told
    }

    /// Answers the last NOTIFY.
    fn answer(&mut self, status: u16) -> bool {
        self.notifier.answered(self.now, RequestId(self.requests), status)
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.notifier.handle_timeout(self.now);
    }
}

fn flow() -> Flow {
    Flow {
        transport: Transport::Udp,
        local: "192.0.2.1:5060".parse().unwrap(),
        remote: "192.0.2.9:5060".parse().unwrap(),
    }
}

fn subscribe(watcher: &str, to_tag: &str, cseq: u32, extra: &str) -> Message {
    let event = if extra.contains("Event:") { "" } else { "Event: dialog\r\n" };
    let text = format!(
        "SUBSCRIBE sip:bob@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKa;rport\r\n\
         From: <sip:{watcher}@x>;tag=from-{watcher}\r\nTo: <sip:bob@x>{to_tag}\r\nCall-ID: c\r\nCSeq: {cseq} SUBSCRIBE\r\n\
         Max-Forwards: 70\r\nContact: <sip:{watcher}@192.0.2.9>\r\n{event}{extra}Content-Length: 0\r\n\r\n"
    );
    Message::parse(Bytes::from(text)).unwrap()
}

fn header(outcome: &Outcome, name: Name) -> Option<&str> {
    outcome.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}

#[test]
fn a_subscription_is_told_at_once_and_after_each_change() {
    let mut desk = Desk::new();
    let outcome = desk.subscribe("alice", "bob", "Expires: 600\r\n");
    assert_eq!((outcome.status, header(&outcome, Name::Expires)), (200, Some("600")));
    assert_eq!(desk.tell(), ["alice active;expires=600 0"]);
    desk.wait(2);
    desk.notifier.changed(desk.now, Package::Dialog, "bob");
    desk.notifier.changed(desk.now, Package::Presence, "bob");
    desk.notifier.changed(desk.now, Package::Dialog, "carol");
    assert!(desk.tell().is_empty(), "the one before has no answer yet");
    assert!(desk.answer(200));
    assert_eq!(desk.tell(), ["alice active;expires=598 1"]);
    desk.answer(200);
    assert!(desk.tell().is_empty());
}

#[test]
fn changes_within_the_pause_are_told_together() {
    let mut desk = Desk::new();
    desk.subscribe("alice", "bob", "");
    assert_eq!(desk.tell(), ["alice active;expires=3600 0"]);
    desk.answer(200);
    desk.notifier.changed(desk.now, Package::Dialog, "bob");
    desk.notifier.changed(desk.now, Package::Dialog, "bob");
    assert!(desk.tell().is_empty());
    assert_eq!(desk.notifier.poll_timeout(), Some(desk.now + Duration::from_secs(1)));
    desk.wait(1);
    assert_eq!(desk.tell(), ["alice active;expires=3599 1"]);
}

#[test]
fn expiry_refresh_and_end() {
    let mut desk = Desk::new();
    desk.subscribe("alice", "bob", "Expires: 600\r\n");
    desk.tell();
    desk.answer(200);
    desk.wait(500);
    assert_eq!(desk.refresh("alice", "bob", 2, "Expires: 600\r\n").status, 200);
    assert_eq!(desk.refresh("alice", "bob", 1, "Expires: 600\r\n").status, 500);
    assert_eq!(desk.refresh("alice", "bob", 3, "Event: presence\r\n").status, 489);
    assert_eq!(desk.refresh("alice", "bob", 3, "Event: dialog;id=2\r\n").status, 481);
    assert_eq!(desk.refresh("mallory", "bob", 3, "").status, 481);
    assert_eq!(desk.tell(), ["alice active;expires=600 1"]);
    desk.answer(200);
    desk.wait(599);
    assert!(desk.tell().is_empty());
    desk.wait(1);
    assert_eq!(desk.tell(), ["alice terminated;reason=timeout 2"]);
    assert_eq!((desk.notifier.count(), desk.notifier.poll_timeout()), (0, None));
    assert!(!desk.answer(200), "nobody waits for that answer");

    desk.subscribe("alice", "bob", "");
    desk.tell();
    desk.answer(200);
    assert_eq!(desk.refresh("alice", "bob", 2, "Expires: 0\r\n").status, 200);
    assert_eq!(desk.tell(), ["alice terminated;reason=timeout 1"]);
    assert_eq!(desk.notifier.count(), 0);
}

#[test]
fn a_fetch_is_told_once_and_counts_for_nothing() {
    let mut desk = Desk::new();
    desk.subscribe("alice", "bob", "");
    desk.subscribe("alice", "carol", "");
    desk.tell();
    let outcome = desk.subscribe("alice", "dora", "Expires: 0\r\n");
    assert_eq!((outcome.status, header(&outcome, Name::Expires)), (200, Some("0")));
    assert_eq!(desk.tell(), ["alice terminated;reason=timeout 0"]);
    assert_eq!(desk.notifier.count(), 2);
}

#[test]
fn what_is_refused() {
    let mut desk = Desk::new();
    let brief = desk.subscribe("alice", "bob", "Expires: 59\r\n");
    assert_eq!((brief.status, header(&brief, Name::MinExpires)), (423, Some("60")));
    let bad = desk.subscribe("alice", "bob", "Event: weather\r\n");
    assert_eq!((bad.status, header(&bad, Name::AllowEvents).is_some()), (489, true));
    let unreadable = desk.subscribe("alice", "bob", "Accept: application/pidf+xml\r\n");
    assert_eq!((unreadable.status, header(&unreadable, Name::Accept)), (406, Some("application/dialog-info+xml")));
    for fine in ["application/dialog-info+xml;q=1, text/plain", "application/*", "*/*"] {
        assert_eq!(desk.subscribe("alice", "bob", &format!("Accept: {fine}\r\n")).status, 200, "{fine}");
    }
    assert_eq!(desk.notifier.count(), 1, "a phone that begins anew makes room for itself");
    assert_eq!(desk.subscribe("alice", "carol", "").status, 200);
    assert_eq!(desk.subscribe("alice", "dora", "").status, 403);
    assert_eq!(desk.subscribe("bob", "dora", "").status, 200);
    let full = desk.subscribe("carol", "dora", "");
    assert_eq!((full.status, header(&full, Name::RetryAfter)), (503, Some("60")));
}

#[test]
fn two_keys_for_one_lamp_are_both_told() {
    let mut desk = Desk::new();
    desk.subscribe("alice", "bob", "");
    desk.tell();
    desk.answer(200);
    desk.subscribe("alice", "bob", "");
    desk.tell();
    desk.answer(200);
    desk.wait(2);
    desk.notifier.changed(desk.now, Package::Dialog, "bob");
    assert_eq!(desk.tell().len(), 2);
}

#[test]
fn a_watcher_who_is_gone_is_forgotten() {
    for (status, left) in [(481, 0), (404, 0), (408, 0), (489, 0), (403, 1), (500, 1)] {
        let mut desk = Desk::new();
        desk.subscribe("alice", "bob", "");
        desk.tell();
        assert!(desk.answer(100) && desk.answer(status));
        assert_eq!(desk.notifier.count(), left, "{status}");
    }
    let mut desk = Desk::new();
    desk.subscribe("alice", "bob", "");
    for _ in 0..3 {
        desk.wait(10);
        desk.notifier.changed(desk.now, Package::Dialog, "bob");
        assert_eq!(desk.tell().len(), 1);
        desk.answer(500);
    }
    assert_eq!(desk.notifier.count(), 0, "who refuses again and again is given up");
    desk.subscribe("alice", "bob", "");
    desk.tell();
    assert!(desk.notifier.failed(desk.now, RequestId(desk.requests), Failure::Timeout));
    assert_eq!((desk.notifier.count(), desk.notifier.poll_timeout()), (0, None));
    assert!(desk.notifier.requests.is_empty() && desk.notifier.by_tag.is_empty() && desk.notifier.watched.is_empty());
}

#[test]
fn the_owner_may_end_them() {
    let mut desk = Desk::new();
    desk.subscribe("alice", "bob", "");
    desk.subscribe("carol", "bob", "");
    desk.tell();
    desk.notifier.end(|watcher, _, _| (watcher == "alice").then_some(Ending::Rejected));
    assert!(desk.tell().is_empty(), "after the answer");
    desk.notifier.answered(desk.now, RequestId(1), 200);
    assert_eq!(desk.tell(), ["alice terminated;reason=rejected 1"]);
    assert_eq!(desk.refresh("alice", "bob", 2, "").status, 481);
    assert_eq!(desk.notifier.count(), 1);
}

#[test]
fn a_notify_goes_within_the_dialog() {
    let mut desk = Desk::new();
    desk.subscribe("alice", "bob", "Event: dialog;id=7\r\nRecord-Route: <sip:192.0.2.20;lr>\r\n");
    let due = desk.notifier.poll_due().unwrap();
    let body = Body { content_type: Package::Dialog.content_type().into(), bytes: Bytes::from("x") };
    let request = desk.notifier.notify(desk.now, due.id, Some(body)).unwrap();
    assert_eq!((request.uri.as_str(), request.from.as_str()), ("sip:alice@192.0.2.9", "<sip:bob@x>"));
    assert_eq!(
        (request.local_tag.as_deref(), request.to.as_str()),
        (Some("to-alice-bob"), "<sip:alice@x>;tag=from-alice")
    );
    assert_eq!(request.routes, ["<sip:192.0.2.20;lr>"]);
    assert_eq!(request.flow.remote, "192.0.2.20:5060".parse().unwrap());
    assert_eq!((request.call_id.as_deref(), request.cseq), (Some("c"), Some(1)));
    assert_eq!(request.contact_user.as_deref(), Some("bob"));
    assert!(request.headers.contains(&(Name::Event, "dialog;id=7".to_owned())));
}

#[test]
fn a_limit_of_ours_says_nothing_of_a_watcher() {
    let mut desk = Desk::new();
    desk.subscribe("alice", "bob", "");
    assert_eq!(desk.tell().len(), 1);
    assert!(desk.notifier.failed(desk.now, RequestId(desk.requests), Failure::Limit));
    assert_eq!((desk.notifier.count(), desk.tell().len()), (1, 0));
    desk.wait(3);
    assert_eq!(desk.tell().len(), 1, "it is told later");
}

#[test]
fn a_watcher_whose_connection_broke_is_told_again_and_given_up_in_the_end() {
    let mut desk = Desk::new();
    desk.subscribe("alice", "bob", "");
    for _ in 0..2 {
        assert_eq!(desk.tell().len(), 1);
        assert!(desk.notifier.failed(desk.now, RequestId(desk.requests), Failure::Transport));
        assert_eq!((desk.notifier.count(), desk.tell().len()), (1, 0));
        desk.wait(3);
    }
    assert_eq!(desk.tell().len(), 1);
    assert!(desk.notifier.failed(desk.now, RequestId(desk.requests), Failure::Transport));
    assert_eq!(desk.notifier.count(), 0);
}
