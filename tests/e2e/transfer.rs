//! A phone transfers its calls, blind and after it has asked.

use crate::lab::baresip::{Account, Baresip};
use crate::lab::gateway::{DOMAIN, Gateway, Setup};
use crate::lab::linphone::Linphone;
use crate::lab::quiet;
use crate::lab::speech::Speech;
use crate::lab::wait::{self, seconds};

struct Office {
    gateway: Gateway,
    alice: Linphone,
    bob: Baresip,
    carol: Baresip,
}

impl Office {
    /// Three phones; the first has a call to the second.
    #[track_caller]
    fn open() -> Office {
        let setup = Setup::new().alice_and_bob().user("carol", "lookingglass", "+15550100003");
        let gateway = Gateway::start(&setup);
        let speech = Speech::bob().wav(8_000);
        let mut alice = Linphone::start(&gateway, 2, "alice", "wonderland", "PCMA", &speech);
        let bob = Baresip::start(&gateway, 3, &Account::BOB, &speech);
        let carol = Account { user: "carol", password: "lookingglass", ..Account::ALICE };
        let carol = Baresip::start(&gateway, 4, &carol, &speech);
        for user in ["alice", "bob", "carol"] {
            gateway.await_registered(user, 1);
        }
        alice.dial(&format!("sip:bob@{DOMAIN}"));
        gateway.await_calls(1, seconds(10));
        // It takes no order for the call before it knows of the answer itself.
        alice.expect("Media streams established");
        Office { gateway, alice, bob, carol }
    }

    /// Bob and carol talk, alice is out of it, and when carol hangs up all is over.
    #[track_caller]
    fn expect_transferred(&self, records: usize) {
        self.alice.expect("ended (");
        let calls = self.gateway.await_calls(1, seconds(15));
        assert!(calls[0]["state"] == "talking", "{calls:#?}");
        let before = self.gateway.metric("tandem_rtp_packets_total", "sent");
        wait::until("sound", seconds(10), || {
            (self.gateway.metric("tandem_rtp_packets_total", "sent") > before + 100.0).then_some(())
        });
        let (ends, log) = (|log: &str| log.matches("session closed").count(), || self.bob.log());
        let before = ends(&log());
        self.carol.hang_up();
        wait::until("bob to be hung up on", seconds(10), || (ends(&log()) > before).then_some(()));
        self.gateway.closed_records(records, seconds(10));
    }
}

#[test]
fn a_phone_transfers_a_call_blindly() {
    let _machine = quiet::beside_others();
    let mut office = Office::open();
    office.alice.command(&format!("transfer sip:carol@{DOMAIN}"));
    office.expect_transferred(2);
}

#[test]
fn a_phone_asks_and_then_transfers() {
    let _machine = quiet::beside_others();
    let mut office = Office::open();
    office.alice.command("pause");
    office.alice.expect("is now paused");
    office.alice.dial(&format!("sip:carol@{DOMAIN}"));
    office.alice.expect("for call 2 (audio)");
    office.alice.command("transfer 1 --to-call 2");
    office.expect_transferred(2);
}
