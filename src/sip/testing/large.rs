//! Requests that don't fit into a datagram.

use super::*;
use crate::sip::agent::Failure;
use crate::sip::flow::Transmit;
use crate::wire::sip::Method;

struct Desk {
    agent: Agent,
    time: Time,
}

impl Desk {
    fn new() -> Desk {
        Desk { agent: Agent::new(AgentSettings::default(), Chance::from_number(1)), time: Time::from_millis(1) }
    }

    fn now(&self) -> Now {
        Now::simulated(self.time, Wall::default())
    }

    fn call(&mut self, body: usize) -> (SessionId, Transmit) {
        let flow = Flow { transport: Transport::Udp, local: address(0), remote: address(1) };
        // What looks like a Via in the Request-URI stays as it is.
        let uri = "sip:SIP/2.0/UDP@192.0.2.2".to_owned();
        let mut invite = Invite::new(flow, uri, "<sip:a@x>".into(), "<sip:b@x>".into());
        invite.body = Some(Body::sdp("x".repeat(body)));
        let id = self.agent.invite(self.now(), invite);
        (id, self.agent.poll_transmit().unwrap())
    }

    fn fail(&mut self, sent: &Transmit) -> Option<Transmit> {
        self.agent.unsent(self.now(), sent.kind.transaction().unwrap(), false);
        self.agent.poll_transmit()
    }

    fn answer(&mut self, sent: &Transmit, status: u16) -> Option<Transmit> {
        let request = Message::parse(sent.bytes.clone()).unwrap();
        let answer = crate::wire::sip::Writer::reply_to(&request, status, "", Some("tag")).finish();
        self.agent.receive(self.now(), sent.flow, Message::parse(answer).unwrap());
        self.agent.poll_transmit()
    }
}

fn via(transmit: &Transmit) -> String {
    Message::parse(transmit.bytes.clone()).unwrap().top_via().unwrap().transport.to_owned()
}

#[test]
fn a_large_request_goes_over_tcp_with_all_that_follows_it() {
    let mut desk = Desk::new();
    let (id, sent) = desk.call(1_300);
    assert_eq!((sent.flow.transport, via(&sent).as_str()), (Transport::Tcp, "TCP"));
    assert!(Message::parse(sent.bytes.clone()).unwrap().request_uri().contains("SIP/2.0/UDP"));
    desk.answer(&sent, 180);
    desk.agent.cancel(desk.now(), id, None);
    let cancel = desk.agent.poll_transmit().unwrap();
    assert_eq!((cancel.flow.transport, via(&cancel).as_str()), (Transport::Tcp, "TCP"));
    let ack = desk.answer(&sent, 487).unwrap();
    assert_eq!(*Message::parse(ack.bytes.clone()).unwrap().method(), Method::Ack);
    assert_eq!((ack.flow.transport, via(&ack).as_str()), (Transport::Tcp, "TCP"));
}

#[test]
fn a_small_request_stays_in_a_datagram() {
    assert_eq!(Desk::new().call(100).1.flow.transport, Transport::Udp);
}

#[test]
fn where_tcp_is_refused_datagrams_serve_and_tcp_is_left_alone_for_a_while() {
    let mut desk = Desk::new();
    let (_, sent) = desk.call(1_300);
    let again = desk.fail(&sent).unwrap();
    assert_eq!((again.flow.transport, via(&again).as_str()), (Transport::Udp, "UDP"));
    assert_eq!(again.bytes.len(), sent.bytes.len());
    // As a datagram it may be lost, and is repeated.
    desk.time += Duration::from_millis(500);
    desk.agent.handle_timeout(desk.now());
    assert_eq!(desk.agent.poll_transmit(), Some(again));
    assert_eq!(desk.call(1_300).1.flow.transport, Transport::Udp);
    desk.time += Duration::from_secs(601);
    assert_eq!(desk.call(1_300).1.flow.transport, Transport::Tcp);
}

#[test]
fn a_connection_that_breaks_after_an_answer_is_not_made_up_for() {
    let mut desk = Desk::new();
    let (_, sent) = desk.call(1_300);
    desk.answer(&sent, 100);
    assert_eq!(desk.fail(&sent), None);
}

#[test]
fn a_way_that_fails_twice_has_failed() {
    let mut desk = Desk::new();
    let (session, sent) = desk.call(1_300);
    let again = desk.fail(&sent).unwrap();
    assert_eq!(desk.fail(&again), None);
    let failed = std::iter::from_fn(|| desk.agent.poll_event()).any(|event| {
        matches!(event, Event::Session { session: of, event: SessionEvent::Failed { cause: Failure::Transport } } if of == session)
    });
    assert!(failed);
}
