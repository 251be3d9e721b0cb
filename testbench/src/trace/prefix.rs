//! What stands in front of an event: task, CPU, time and the event's name, in all three texts.
//!
//! | program | line |
//! |---|---|
//! | tracefs | `TASK-PID [CPU] FLAGS SECONDS: EVENT: FIELDS` |
//! | `trace-cmd report` | `TASK-PID [CPU] SECONDS: EVENT:   FIELDS` |
//! | `perf script` | `TASK PID [CPU] SECONDS: SYSTEM:EVENT: FIELDS` |

/// A line of an event, cut into its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix<'a> {
    /// Name of the task; it may hold blanks, `-`, `/` and `:`.
    pub task: &'a [u8],
    /// Its number.
    pub pid: u32,
    /// CPU that wrote the event.
    pub cpu: u16,
    /// Time of the trace clock in nanoseconds.
    pub time_ns: u64,
    /// Name of the event, without its system.
    pub event: &'a [u8],
    /// The rest.
    pub fields: &'a [u8],
}

impl<'a> Prefix<'a> {
    /// Cuts a line; `None` if it is no event.
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let mut from = 0;
        while let Some(at) = memchr::memchr(b'[', &line[from..]) {
            let open = from + at;
            if let Some((cpu, rest)) = cpu_number(&line[open + 1..])
                && let Some((task, pid)) = task_and_pid(&line[..open])
                && let Some((time_ns, rest)) = time(rest)
            {
                let (event, fields) = event_name(rest)?;
                return Some(Self {
                    task,
                    pid,
                    cpu,
                    time_ns,
                    event,
                    fields,
                });
            }
            from = open + 1;
        }
        None
    }
}

/// Reads `001] ` and returns what is behind it.
fn cpu_number(text: &[u8]) -> Option<(u16, &[u8])> {
    let close = text.iter().take(6).position(|&byte| byte == b']')?;
    let cpu = decimal(&text[..close])?;
    Some((u16::try_from(cpu).ok()?, &text[close + 1..]))
}

/// Cuts `TASK-PID` or `TASK PID`, with or without the thread group that tracefs can show behind it.
fn task_and_pid(text: &[u8]) -> Option<(&[u8], u32)> {
    let mut text = text.trim_ascii();
    if text.ends_with(b")") {
        text = text[..memchr::memrchr(b'(', text)?].trim_ascii_end();
    }
    let cut = text
        .iter()
        .rposition(|&byte| byte == b'-' || byte == b' ')?;
    let pid = decimal(&text[cut + 1..])?;
    Some((text[..cut].trim_ascii_end(), u32::try_from(pid).ok()?))
}

/// Latest time that is taken for one: 36 years. Differences and shifts of times stay far from overflowing.
const MOST_NS: u64 = 1 << 60;

/// Skips flags, and reads `SECONDS.FRACTION:`.
fn time(mut text: &[u8]) -> Option<(u64, &[u8])> {
    for _ in 0..3 {
        text = text.trim_ascii_start();
        let end = memchr::memchr(b' ', text)?;
        let (word, rest) = text.split_at(end);
        if let Some(number) = word.strip_suffix(b":")
            && let Some(time_ns) = seconds(number)
        {
            return Some((time_ns, rest));
        }
        text = rest;
    }
    None
}

fn seconds(text: &[u8]) -> Option<u64> {
    let point = memchr::memchr(b'.', text)?;
    let (whole, fraction) = (decimal(&text[..point])?, &text[point + 1..]);
    let digits = u32::try_from(fraction.len())
        .ok()
        .filter(|&count| count <= 9)?;
    let nanoseconds = decimal(fraction)? * 10_u64.pow(9 - digits);
    let time_ns = whole.checked_mul(1_000_000_000)?.checked_add(nanoseconds)?;
    Some(time_ns).filter(|&time_ns| time_ns <= MOST_NS)
}

/// Cuts `EVENT: FIELDS` or `SYSTEM:EVENT: FIELDS`.
fn event_name(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.trim_ascii_start();
    let end = memchr::memchr(b' ', text).unwrap_or(text.len());
    let (word, fields) = text.split_at(end);
    let word = word.strip_suffix(b":")?;
    let name = memchr::memrchr(b':', word).map_or(word, |colon| &word[colon + 1..]);
    Some((name, fields.trim_ascii()))
}

/// Reads decimal digits and nothing else.
pub(crate) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, &byte| {
        let digit = byte.wrapping_sub(b'0');
        let number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
        (digit < 10).then_some(number)
    })
}

/// Reads hexadecimal digits, with or without `0x`.
pub(crate) fn hexadecimal(text: &[u8]) -> Option<u64> {
    let text = text.strip_prefix(b"0x").unwrap_or(text);
    if text.is_empty() || text.len() > 16 {
        return None;
    }
    text.iter().try_fold(0_u64, |number, &byte| {
        let digit = char::from(byte).to_digit(16)?;
        Some(number << 4 | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(line: &str) -> (String, u32, u16, u64, String, String) {
        let prefix = Prefix::parse(line.as_bytes()).expect("an event");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            text(prefix.task),
            prefix.pid,
            prefix.cpu,
            prefix.time_ns,
            text(prefix.event),
            text(prefix.fields),
        )
    }

    fn expected(
        task: &str,
        pid: u32,
        cpu: u16,
        time_ns: u64,
    ) -> (String, u32, u16, u64, String, String) {
        let event = "dma_unmap_phys".to_owned();
        (
            task.to_owned(),
            pid,
            cpu,
            time_ns,
            event,
            "nic dir=TO_DEVICE".to_owned(),
        )
    }

    #[test]
    fn the_texts_of_all_three_programs_are_cut_alike() {
        let rest = "dma_unmap_phys: nic dir=TO_DEVICE";
        let rows = [
            (
                format!("    kworker/u8:1-29      [001] .....     3.545802: {rest}"),
                expected("kworker/u8:1", 29, 1, 3_545_802_000),
            ),
            (
                format!("          <idle>-0       [000] d.h2.    10.302909: {rest}"),
                expected("<idle>", 0, 0, 10_302_909_000),
            ),
            (
                format!("   a-b [7] c-12 ( 11) [012] ..s1. 1.000001: {rest}"),
                expected("a-b [7] c", 12, 12, 1_000_001_000),
            ),
            (
                "  nvme-12  [003]  5.000000001: dma_unmap_phys:      nic dir=TO_DEVICE".to_owned(),
                expected("nvme", 12, 3, 5_000_000_001),
            ),
            (
                format!("my task  4321 [000]   5.5: dma:{rest}"),
                expected("my task", 4321, 0, 5_500_000_000),
            ),
        ];
        for (line, parts_of_it) in rows {
            assert_eq!(parts(&line), parts_of_it, "{line}");
        }
    }

    #[test]
    fn other_lines_are_no_events() {
        let lines = [
            "",
            "# tracer: nop",
            "CPU:1 [LOST 123 EVENTS]",
            "[    3.982768] nvme 0000:00:02.0: swiotlb buffer is full (sz: 4096 bytes)",
            "  a-1 [000] ..... 3.5",
            "  a-1 [000] ..... 3.5: ",
            "  a [000] ..... 3.5: x: y",
        ];
        for line in lines {
            assert_eq!(Prefix::parse(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn numbers_that_do_not_fit_are_none() {
        assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(decimal(b"18446744073709551616"), None);
        assert_eq!(decimal(b"12a"), None);
        assert_eq!(hexadecimal(b"ffffffffffffffff"), Some(u64::MAX));
        assert_eq!(hexadecimal(b"0x1fF"), Some(0x1ff));
        assert_eq!(hexadecimal(b"10000000000000000"), None);
        assert_eq!((hexadecimal(b"0x"), hexadecimal(b"g")), (None, None));
        assert_eq!(seconds(b"99999999999999.0"), None);
    }
}
