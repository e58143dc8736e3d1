//! The presence service under load: `cargo bench --bench presence`. The sketch is in docs/performance.md.

mod support;

use std::time::{Duration, Instant};

use sluice::clock::{Moment, WallTime};
use sluice::message::UserName;
use sluice::presence::{
    Address, AttributeName, Authorise, Chosen, ClientName, Config, NoGroups, Notice, Now,
    PresValue, Registry, Service,
};
use support::{Goal, figure};

/// The load.
const USERS: usize = 100_000;
const WATCHERS: usize = 50;
/// One update a minute for each user, told to each watcher.
const RATE: f64 = (USERS * WATCHERS) as f64 / 60.0;

const BEGIN: u64 = 1_795_248_785_123;

fn user(number: usize) -> UserName {
    UserName::new(&format!("user{number:06}")).expect("a name")
}

fn name(written: &str) -> AttributeName {
    AttributeName::new(written).expect("a name")
}

/// Resident memory of this process, in octets.
fn resident() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux tells it");
    let pages: f64 = pages
        .split(' ')
        .nth(1)
        .expect("the second number")
        .parse()
        .expect("a number");
    pages * 4096.0
}

/// A service and the clock that the bench moves.
struct Bench {
    service: Service,
    micros: u64,
}

impl Bench {
    fn new(config: Config) -> Self {
        let mut bench = Self {
            service: Service::new(config, Registry::base()),
            micros: 0,
        };
        bench.drop_changes();
        bench
    }

    fn at(micros: u64) -> Now<'static> {
        Now {
            moment: Moment::from_micros(micros),
            wall: WallTime::from_unix_ms(BEGIN + micros / 1000),
            groups: &NoGroups,
        }
    }

    fn now(&self) -> Now<'static> {
        Self::at(self.micros)
    }

    /// The store's part; it is not measured here.
    fn drop_changes(&mut self) {
        while self.service.poll_change().is_some() {}
    }

    fn drain(&mut self) -> u64 {
        let now = self.now();
        let mut notices = 0;
        while let Some(notice) = self.service.poll_notice(&now) {
            notices += u64::from(matches!(notice, Notice::Presence { .. }));
        }
        notices
    }

    fn update(&mut self, owner: &UserName, attribute: &AttributeName, text: &str) {
        let now = self.now();
        let value = PresValue::set(attribute.clone(), text);
        self.service
            .update(&now, owner, None, owner, &[value])
            .expect("it fits");
    }
}

/// A value set as a person with a phone and a computer has it.
fn value_set(number: usize) -> Vec<PresValue> {
    [
        ("sluice:availability", "available".to_string()),
        ("sluice:mood", format!("looking at wave {number}")),
        ("sluice:activity", "fishing".into()),
        ("sluice:nickname", format!("Sailor {number}")),
        ("sluice:phone", format!("tel:+35840{number:07}")),
        ("sluice:place", "lake".into()),
    ]
    .into_iter()
    .map(|(attribute, text)| PresValue::set(name(attribute), &text))
    .collect()
}

fn main() {
    let mut bench = load();
    fan_out(&mut bench);
    drop(bench);
    one_to_many();
    timers();
}

/// All users with their values, permissions and subscriptions.
fn load() -> Bench {
    let config = Config {
        silence: Duration::from_secs(1_000_000_000),
        ..Config::default()
    };
    let mut bench = Bench::new(config);
    let users: Vec<UserName> = (0..USERS).map(user).collect();
    let pc = ClientName::new("pc").expect("a name");
    let before = resident();
    let start = Instant::now();
    for (number, owner) in users.iter().enumerate() {
        let now = bench.now();
        bench
            .service
            .update(&now, owner, None, owner, &value_set(number))
            .expect("it fits");
        bench
            .service
            .point_up(&now, owner, &pc, 1)
            .expect("there is room");
        bench.drop_changes();
    }
    let with_values = resident();
    let each = (with_values - before) / USERS as f64;
    println!("# {USERS} users with 8 values in {:.1?}", start.elapsed());
    figure("presence_value_set", each, "octets", Goal::AtMost(2048.0));

    // Half of the watchers may look because they are named, half because all may.
    let start = Instant::now();
    let chosen = Chosen::names(vec![
        name("sluice:availability"),
        name("sluice:mood"),
        name("sluice:reachability"),
    ])
    .expect("three");
    let day = Duration::from_secs(86_400);
    for (number, owner) in users.iter().enumerate() {
        let now = bench.now();
        let grant = |to| Authorise {
            grant: Chosen::All,
            ..Authorise::to(to)
        };
        bench
            .service
            .authorise(&now, owner, &grant(Address::Everyone))
            .expect("there is room");
        for next in 1..=WATCHERS {
            let watcher = &users[(number + next * 1_999) % USERS];
            if next % 2 == 0 {
                let to = Address::User(watcher.clone());
                bench
                    .service
                    .authorise(&now, owner, &grant(to))
                    .expect("there is room");
            }
            bench
                .service
                .subscribe(&now, watcher, owner, &chosen, day)
                .expect("there is room");
        }
        bench.drop_changes();
    }
    let each = (resident() - with_values) / (USERS * WATCHERS) as f64;
    let counts = bench.service.counts();
    println!("# {counts:?} in {:.1?}", start.elapsed());
    assert_eq!(counts.subscriptions, USERS * WATCHERS);
    figure(
        "presence_subscription",
        each,
        "octets",
        Goal::AtMost(1024.0),
    );

    let start = Instant::now();
    let mut first = 0;
    for _ in 0..10 {
        first += bench.drain();
        bench.micros += 60_000_000;
        let now = bench.now();
        bench.service.handle_timeout(&now);
    }
    println!("# first pictures: {first} in {:.1?}", start.elapsed());
    bench
}

/// Updates in turn, as fast as it goes, through to the queues: how many pictures a second come out.
fn fan_out(bench: &mut Bench) {
    let mood = name("sluice:mood");
    let mut turn: usize = 0;
    let start = Instant::now();
    let mut notices = 0;
    let mut updates: u64 = 0;
    while start.elapsed() < Duration::from_secs(8) {
        for _ in 0..100 {
            // Across the memory, as people's updates come.
            turn = (turn + 61_813) % USERS;
            let owner = user(turn);
            updates += 1;
            bench.update(&owner, &mood, &format!("wave {updates}"));
            // The clock of the load: 1,667 updates a second.
            bench.micros += 600;
        }
        let now = bench.now();
        bench.service.handle_timeout(&now);
        notices += bench.drain();
        bench.drop_changes();
    }
    let spent = start.elapsed().as_secs_f64();
    let rate = notices as f64 / spent;
    println!(
        "# {updates} updates, {notices} pictures in {spent:.1} s on one core: {:.2} us a picture",
        1e6 * spent / notices as f64
    );
    assert!(
        notices >= updates * WATCHERS as u64 * 9 / 10,
        "pictures are told, not put off"
    );
    figure("presence_pictures", rate, "pictures/s", Goal::AtLeast(RATE));
    figure(
        "presence_load_of_two_cores",
        RATE / rate / 2.0,
        "of both",
        Goal::AtMost(1.0),
    );
}

/// One owner, ten thousand watchers: from the update until the last has its picture in the queue.
fn one_to_many() {
    let mut bench = Bench::new(Config {
        silence: Duration::from_secs(1_000_000_000),
        ..Config::default()
    });
    let (owner, mood) = (user(999_999), name("sluice:mood"));
    let pc = ClientName::new("pc").expect("a name");
    let now = bench.now();
    let grant = Authorise {
        grant: Chosen::All,
        ..Authorise::to(Address::Everyone)
    };
    bench
        .service
        .authorise(&now, &owner, &grant)
        .expect("there is room");
    for number in 0..10_000 {
        let watcher = user(number);
        bench
            .service
            .point_up(&now, &watcher, &pc, 1)
            .expect("there is room");
        bench
            .service
            .subscribe(
                &now,
                &watcher,
                &owner,
                &Chosen::All,
                Duration::from_secs(86_400),
            )
            .expect("there is room");
    }
    bench.drain();
    let mut times: Vec<f64> = (0..30)
        .map(|round| {
            bench.micros += 1_000_000;
            let start = Instant::now();
            bench.update(&owner, &mood, &format!("round {round}"));
            let told = bench.drain();
            let spent = start.elapsed();
            assert_eq!(told, 10_000);
            bench.drop_changes();
            spent.as_secs_f64() * 1000.0
        })
        .collect();
    figure(
        "presence_ten_thousand",
        support::median(&mut times),
        "ms",
        Goal::AtMost(20.0),
    );
}

/// A million timers at rest: lapses spread over a day, and the driver that comes back whenever it is told to.
fn timers() {
    let mut bench = Bench::new(Config {
        max_watchers: usize::MAX,
        ..Config::default()
    });
    let chosen = Chosen::names(vec![name("sluice:mood")]).expect("one");
    let now = bench.now();
    for number in 0..1_000_000_usize {
        // Between six hours and a day and six hours ahead: none is due while it rests.
        let until = Duration::from_millis(
            21_600_000 + (number as u64).wrapping_mul(7_919_111) % 86_400_000,
        );
        let (watcher, owner) = (user(number / 500), user(500_000 + number % 500));
        bench
            .service
            .subscribe(&now, &watcher, &owner, &chosen, until)
            .expect("there is room");
        if number % 1000 == 0 {
            bench.drop_changes();
        }
    }
    bench.drop_changes();
    let timers = bench.service.counts().timers;
    assert!(timers >= 1_000_000);
    // Five hours at rest.
    let rest = Duration::from_secs(5 * 3600);
    let end = bench.micros + u64::try_from(rest.as_micros()).expect("it fits");
    let start = Instant::now();
    let mut wakes: u64 = 0;
    while bench.micros < end {
        let now = bench.now();
        bench.service.handle_timeout(&now);
        let next = bench.service.poll_timeout(&now).expect("timers are armed");
        bench.micros = next.as_micros().max(bench.micros + 1000);
        wakes += 1;
    }
    let at_rest = start.elapsed().as_secs_f64() / rest.as_secs_f64();
    println!(
        "# {timers} timers, {wakes} wakes in {rest:?}: {:.3?} of work",
        start.elapsed()
    );
    figure(
        "presence_timers_at_rest",
        100.0 * at_rest,
        "% of a core",
        Goal::AtMost(1.0),
    );
    // And the day in which they all fire.
    let end = bench.micros + 26 * 3600 * 1_000_000;
    let start = Instant::now();
    while bench.micros < end && bench.service.counts().subscriptions > 0 {
        let now = bench.now();
        bench.service.handle_timeout(&now);
        bench.drop_changes();
        bench.micros = bench
            .service
            .poll_timeout(&now)
            .map_or(end, Moment::as_micros)
            .max(bench.micros + 1000);
    }
    let spent = start.elapsed().as_secs_f64();
    assert_eq!(bench.service.counts().subscriptions, 0);
    figure(
        "presence_timers_firing_all_day",
        100.0 * spent / 86_400.0,
        "% of a core",
        Goal::AtMost(1.0),
    );
}
