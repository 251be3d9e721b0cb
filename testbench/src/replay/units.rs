//! Shares, times and sizes for people.

/// Writes a share in percent, rounded down so that only all is 100 %.
#[must_use]
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    let tenths = u128::from(part) * 1000 / u128::from(whole);
    if tenths.is_multiple_of(10) {
        format!("{} %", tenths / 10)
    } else {
        format!("{}.{} %", tenths / 10, tenths % 10)
    }
}

/// Writes a time in a unit that suits it.
#[must_use]
pub fn time_text(ns: u64) -> String {
    match ns {
        0 => "-".to_owned(),
        1..10_000 => format!("{ns} ns"),
        10_000..10_000_000 => format!("{} us", ns / 1000),
        10_000_000..10_000_000_000 => format!("{} ms", ns / 1_000_000),
        _ => format!("{} s", ns / 1_000_000_000),
    }
}

/// Writes bytes in a unit that suits them.
#[must_use]
pub fn bytes_text(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} B"),
        10_240..10_485_760 => format!("{} KiB", bytes >> 10),
        10_485_760..10_737_418_240 => format!("{} MiB", bytes >> 20),
        _ => format!("{} GiB", bytes >> 30),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_reach_a_hundred_only_when_all_are_there() {
        assert_eq!(percent(12_999, 13_000), "99.9 %");
        assert_eq!(
            (percent(5, 5), percent(1, 2), percent(0, 0)),
            ("100 %".into(), "50 %".into(), "-".into())
        );
    }

    #[test]
    fn times_and_sizes_have_units_that_suit_them() {
        let times = [0, 999, 12_345, 12_345_678, 12_345_678_901].map(time_text);
        assert_eq!(times, ["-", "999 ns", "12 us", "12 ms", "12 s"]);
        let sizes = [512, 20_480, 20 << 20, 20 << 30].map(bytes_text);
        assert_eq!(sizes, ["512 B", "20 KiB", "20 MiB", "20 GiB"]);
    }
}
