//! Figures as people read them.

/// A time in its largest unit and the one below.
pub(super) fn time_ms(ms: u64) -> String {
    if ms < 1000 {
        return format!("{ms} ms");
    }
    let seconds = ms / 1000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) if ms < 10_000 => format!("{}.{} s", seconds, ms / 100 % 10),
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// A short time.
pub(super) fn time_us(us: u64) -> String {
    match us {
        0..1000 => format!("{us} us"),
        1000..10_000 => format!("{}.{} ms", us / 1000, us / 100 % 10),
        _ => time_ms(us / 1000),
    }
}

/// Octets a second.
pub(super) fn rate(octets: u64) -> String {
    match octets {
        0..1000 => format!("{octets} B/s"),
        1000..1_000_000 => format!("{} kB/s", octets / 1000),
        _ => format!("{}.{} MB/s", octets / 1_000_000, octets / 100_000 % 10),
    }
}

/// The first few numbers of a list.
pub(super) fn numbers(numbers: &[u64]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = numbers.iter().take(SHOWN).map(u64::to_string).collect();
    let noun = if numbers.len() == 1 {
        "message"
    } else {
        "messages"
    };
    match numbers.len() {
        all if all <= SHOWN => format!("{noun} {}", shown.join(", ")),
        all => format!("{noun} {} and {} more", shown.join(", "), all - SHOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_two_places_that_matter() {
        assert_eq!(time_ms(12), "12 ms");
        assert_eq!(time_ms(2_340), "2.3 s");
        assert_eq!(time_ms(45_000), "45 s");
        assert_eq!(time_ms(125_000), "2 min 5 s");
        assert_eq!(time_ms(3_725_000), "1 h 2 min");
        assert_eq!(time_ms(90_000_000), "1 d 1 h");
        assert_eq!(time_us(412), "412 us");
        assert_eq!(time_us(4_120), "4.1 ms");
        assert_eq!(time_us(301_500), "301 ms");
        assert_eq!(rate(83_400), "83 kB/s");
        assert_eq!(rate(1_250_000), "1.2 MB/s");
        assert_eq!(numbers(&[7]), "message 7");
        assert_eq!(
            numbers(&[1, 2, 3, 4, 5, 6, 7]),
            "messages 1, 2, 3, 4, 5 and 2 more"
        );
    }
}
