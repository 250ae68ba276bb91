//! Who there is, and what they undertake.

use super::{Happening, World};
use crate::ledger::Story;
use crate::network::below;
use crate::office;
use crate::peer::{Call, Peer, Phone, Role, Way};
use crate::profile::Profile;
use crate::provider::Provider;
use crate::script::{Offer, Placing};
use std::net::SocketAddr;
use std::time::Duration;
use tandem::base::chance::Chance;
use tandem::base::time::Time;
use tandem::call::io::Input;
use tandem::sip::digest::ClientCredentials;
use tandem::sip::flow::{Flow, Transport};
use tandem::sip::locate::{Located, Server, Target};

/// Soon over, so that names are looked up often.
const NAME_TTL: Duration = Duration::from_secs(30);

impl World {
    pub(super) fn place(&mut self) {
        if self.to_place == 0 {
            return;
        }
        self.to_place -= 1;
        if self.to_place > 0 {
            let gap = below(&mut self.chance, self.profile.gap * 2);
            self.after(gap, Happening::Place);
        }
        let (is_rude, users) = (self.chance.happens(self.profile.rude), office::users());
        if is_rude && self.chance.below(2) == 0 {
            let dialled = office::number_of(&users[self.chance.below(users.len() as u64) as usize]);
            let number = self.ledger.stories.len();
            let call_id = self.boor.call(self.time, number, &dialled);
            self.ledger.place(Story::new("boor", dialled, Offer::InInvite, call_id, self.time));
            return self.be_rude();
        }
        let now = self.now();
        let peer = self.caller(now.time);
        let dialled = match &self.peers[peer].role {
            Role::Provider(_) => office::number_of(&users[self.chance.below(users.len() as u64) as usize]),
            _ if is_rude => format!("5{}", 1_000 + self.chance.below(9_000)),
            _ => office::dialled(&mut self.chance),
        };
        let placing = Placing::draw(&mut self.chance, &self.profile.manners);
        self.peers[peer].place(now, Call { dialled, placing }, &mut self.ledger);
        self.settle(peer);
        if self.chance.happens(self.profile.operator) {
            let wait = below(&mut self.chance, Duration::from_secs(30));
            self.after(wait, Happening::HangUp);
        }
    }

    fn caller(&mut self, now: Time) -> usize {
        let ready: Vec<usize> = (0..self.peers.len())
            .filter(|&peer| match &self.peers[peer].role {
                Role::Phone(phone) => phone.is_registered,
                Role::Provider(provider) => provider.may_call(now),
                Role::Stranger(_) => true,
            })
            .collect();
        ready[self.chance.below(ready.len() as u64) as usize]
    }

    /// An operator ends some call.
    pub(super) fn hang_up_one(&mut self) {
        let open: Vec<(String, Option<usize>)> =
            self.books.open().map(|record| (record.id.clone(), crate::books::call_of(record, &self.ledger))).collect();
        if open.is_empty() {
            return;
        }
        let (id, call) = open[self.chance.below(open.len() as u64) as usize].clone();
        if let Some(story) = call.and_then(|call| self.ledger.stories.get_mut(call)) {
            story.operated = true;
        }
        self.give(Input::HangUp { id });
    }

    pub(super) fn locate(&mut self, target: &Target) -> Result<Located<Flow>, String> {
        if self.chance.happens(self.profile.names.fails) {
            return Err("the name server is silent".to_owned());
        }
        let mut remote = *self.trunks.get(&target.host).ok_or("no such name")?;
        remote.set_port(target.port.unwrap_or(remote.port()));
        let transport = target.transport.unwrap_or(Transport::Udp);
        let way = |remote| Flow { transport, local: office::GATEWAY, remote };
        let mut located = Located::only(way(remote), NAME_TTL);
        if target.host == office::TWO_SERVERS && self.profile.dead_server {
            // The first of two servers is nobody's address.
            remote.set_ip(office::NOBODY);
            located.servers[0].rank = 1;
            located.servers.insert(0, Server { rank: 0, weight: 0, ways: vec![way(remote)] });
        }
        Ok(located)
    }
}

/// Phones of the users, the providers, and two who have no account. Some phones are behind a NAT, some have a connection.
pub(super) fn peers(profile: &Profile, chance: &mut Chance) -> Vec<Peer> {
    let mut peers = Vec::new();
    let manners = profile.manners;
    let mut add = |name: &str, way: Way, role: Role, chance: &mut Chance| {
        let own = Chance::from_number(chance.u64());
        peers.push(Peer::new(name, way, role, manners, own));
    };
    let hidden = |last: u8| {
        let public = SocketAddr::new(office::address(last).ip(), 40_000 + u16::from(last));
        Way::hidden(SocketAddr::from(([10, 0, 0, last], 5060)), public)
    };
    let connected = |last: u8| Way::tcp(SocketAddr::new(office::address(last).ip(), 50_000));
    for number in 1..=office::SINGLES as u8 {
        let user = format!("user{number}");
        let way = match number {
            5 | 6 => hidden(10 + number),
            7 | 8 => connected(10 + number),
            _ => Way::udp(office::address(10 + number)),
        };
        add(&user, way, Role::Phone(Phone::new(&user, office::PASSWORD)), chance);
    }
    for (number, way) in [(1, Way::udp(office::address(101))), (2, hidden(102)), (3, connected(103))] {
        let phone = Role::Phone(Phone::new(office::TRIO, office::PASSWORD));
        add(&format!("trio-{number}"), way, phone, chance);
    }
    let trunk = |host: &str| Way::udp(office::trunk_addresses()[host]);
    let acme = match profile.trunk_connects {
        true => Way::tcp(office::trunk_addresses()["sip.acme.test"]),
        false => trunk("sip.acme.test"),
    };
    add("acme", acme, Role::Provider(Provider::gated(chance)), chance);
    add("globex", trunk("sip.globex.test"), Role::Provider(Provider::open()), chance);
    let wrong = ClientCredentials { username: "user1".to_owned(), password: "guessed".to_owned(), realm: None };
    add("guesser", Way::udp(office::address(200)), Role::Stranger(Some(wrong)), chance);
    add("stranger", Way::udp(office::address(201)), Role::Stranger(None), chance);
    peers
}
