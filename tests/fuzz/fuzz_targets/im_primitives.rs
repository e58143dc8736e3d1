//! Whatever a client sends: it is read, or answered; and the service takes what was read without falling over.

#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use sluice::clock::{Moment, WallTime};
use sluice::im::config::Config;
use sluice::im::effects::Now;
use sluice::im::limits::MAX_PRIMITIVE;
use sluice::im::memory::MemoryShelf;
use sluice::im::names::ConnectionId;
use sluice::im::primitive::{FromClient, read};
use sluice::im::service::Service;

struct World {
    service: Service,
    shelf: MemoryShelf,
    clock: u64,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new({
        let config = Config { sign_up: true, ..Config::default() };
        let mut service = Service::new(config, [1; 32], [2; 32]).expect("the usual makes sense");
        service.connected(ConnectionId(1), "192.0.2.1".parse().expect("an address"));
        World { service, shelf: MemoryShelf::new(), clock: 0 }
    });
}

fuzz_target!(|octets: &[u8]| {
    let request = read(octets);
    match &request {
        Ok(request) => {
            // Written and read again it is the same.
            let elements = request.primitive.elements_json();
            let again = FromClient::from_json(request.primitive.name(), &elements)
                .expect("its name is known")
                .expect("what was written can be read");
            assert_eq!(again, request.primitive);
        }
        Err(why) => assert!(!why.status.code.is_done()),
    }
    if octets.len() > MAX_PRIMITIVE {
        assert!(request.is_err());
    }
    WORLD.with_borrow_mut(|world| {
        world.clock += 1;
        let now = Now {
            moment: Moment::from_micros(world.clock * 1_000_000),
            wall: WallTime::from_unix_ms(world.clock * 1000),
        };
        let effects = world.service.handle(now, &world.shelf, ConnectionId(1), request);
        world.shelf.apply_all(&effects.changes);
        for (_, outgoing) in effects.sends {
            let _json = outgoing.to_json();
        }
    });
});
