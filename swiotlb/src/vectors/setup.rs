//! Set-up lines: `@word key=value ...`.

use super::data::parse_number;
use super::error::BadLine;
use super::script::parse_request;

/// Keys and values of one line, taken one by one so that none is left over.
struct Keys<'a> {
    word: &'a str,
    pairs: Vec<(&'a str, &'a str)>,
}

impl<'a> Keys<'a> {
    fn new(line: &'a str) -> Result<Self, BadLine> {
        let mut parts = line.split(' ');
        let word = parts.next().unwrap_or_default();
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        for part in parts {
            let pair = part
                .split_once('=')
                .ok_or_else(|| BadLine::new(word, "key=value", part))?;
            if pairs.iter().any(|(key, _)| *key == pair.0) {
                return Err(BadLine::new(word, "each key once", part));
            }
            pairs.push(pair);
        }
        Ok(Self { word, pairs })
    }

    fn text(&mut self, key: &str) -> Result<&'a str, BadLine> {
        let index = self.pairs.iter().position(|(found, _)| *found == key);
        match index {
            Some(index) => Ok(self.pairs.swap_remove(index).1),
            None => Err(BadLine::new(self.word, format!("key {key}"), "none")),
        }
    }

    fn read<T>(
        &mut self,
        key: &str,
        expected: &str,
        parse: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, BadLine> {
        let text = self.text(key)?;
        parse(text).ok_or_else(|| BadLine::new(key, expected, text))
    }

    fn number(&mut self, key: &str) -> Result<u64, BadLine> {
        self.read(key, "a 64-bit number", |text| parse_number(text.as_bytes()))
    }

    fn number32(&mut self, key: &str) -> Result<u32, BadLine> {
        self.read(key, "a 32-bit number", |text| {
            u32::try_from(parse_number(text.as_bytes())?).ok()
        })
    }

    fn flag(&mut self, key: &str) -> Result<bool, BadLine> {
        self.read(key, "0 or 1", |text| match text {
            "0" => Some(false),
            "1" => Some(true),
            _ => None,
        })
    }

    fn finish(self) -> Result<(), BadLine> {
        match self.pairs.first() {
            None => Ok(()),
            Some((key, value)) => Err(BadLine::new(
                self.word,
                "no further key",
                format!("{key}={value}"),
            )),
        }
    }
}

/// Memory encryption of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cc {
    None,
    Guest,
    Host,
}

/// `@scenario`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ScenarioLine {
    /// Pools can be added while running.
    pub(super) is_dynamic: bool,
    pub(super) slots: u64,
    pub(super) areas: u32,
    pub(super) cpus: u32,
    pub(super) adjust_bytes: u64,
    pub(super) is_forced: bool,
    pub(super) is_tracking: bool,
    pub(super) is_anywhere: bool,
    pub(super) cc: Cc,
    pub(super) mem_end: u64,
}

/// `@mem` and the range of `@restricted`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RangeLine {
    pub(super) base: u64,
    pub(super) bytes: u64,
}

/// `@init`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InitLine {
    /// `None` for an early start.
    pub(super) late: Option<(u64, crate::Zone)>,
    pub(super) requests: Vec<(u64, Option<u64>)>,
    pub(super) result: String,
    pub(super) base: Option<u64>,
    pub(super) slots: u64,
    pub(super) areas: u64,
    pub(super) grow_slots: u64,
    pub(super) search_areas: u64,
    pub(super) can_grow: bool,
    pub(super) phys_limit: u64,
}

/// `@dev`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DeviceLine {
    pub(super) id: u32,
    pub(super) dma_mask: u64,
    pub(super) bus_limit: u64,
    pub(super) min_align_mask: u32,
    pub(super) seg_boundary_mask: u64,
    pub(super) dma_offset: u64,
    pub(super) needs_unencrypted: bool,
    /// Number of the restricted pool, or `None` for the default allocator.
    pub(super) restricted: Option<u32>,
}

/// One set-up line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Setup {
    Scenario(ScenarioLine),
    Memory(RangeLine),
    Init(InitLine),
    Restricted(u32, RangeLine),
    Device(DeviceLine),
}

/// Highest device and restricted pool number that is taken on.
const MAX_ID: u32 = 4095;

fn parse_id(text: &str) -> Option<u32> {
    let id = u32::try_from(parse_number(text.as_bytes())?).ok()?;
    (id <= MAX_ID).then_some(id)
}

fn parse_requests(text: &str) -> Option<Vec<(u64, Option<u64>)>> {
    if text == "-" {
        return Some(Vec::new());
    }
    text.split(';')
        .map(|request| parse_request(request.as_bytes()))
        .collect()
}

impl Setup {
    /// Reads a line that begins with `@`.
    pub(super) fn parse(line: &str) -> Result<Self, BadLine> {
        let mut keys = Keys::new(line)?;
        let setup = match keys.word {
            "@scenario" => Self::Scenario(ScenarioLine::read(&mut keys)?),
            "@mem" => Self::Memory(RangeLine::read(&mut keys)?),
            "@init" => Self::Init(InitLine::read(&mut keys)?),
            "@restricted" => {
                let id = keys.read("id", "a number up to 4095", parse_id)?;
                Self::Restricted(id, RangeLine::read(&mut keys)?)
            }
            "@dev" => Self::Device(DeviceLine::read(&mut keys)?),
            word => {
                let known = "@scenario, @mem, @init, @restricted or @dev";
                return Err(BadLine::new("set-up line", known, word));
            }
        };
        keys.finish()?;
        Ok(setup)
    }
}

impl ScenarioLine {
    fn read(keys: &mut Keys<'_>) -> Result<Self, BadLine> {
        keys.number("id")?;
        Ok(Self {
            is_dynamic: keys.read("build", "dynamic or static", |text| match text {
                "dynamic" => Some(true),
                "static" => Some(false),
                _ => None,
            })?,
            slots: keys.number("nslabs_req")?,
            areas: keys.number32("nareas_req")?,
            cpus: keys.number32("ncpus")?,
            adjust_bytes: keys.number("adjust_size")?,
            is_forced: keys.flag("force")?,
            is_tracking: keys.flag("track")?,
            is_anywhere: keys.flag("any")?,
            cc: keys.read("cc", "none, guest or host", |text| match text {
                "none" => Some(Cc::None),
                "guest" => Some(Cc::Guest),
                "host" => Some(Cc::Host),
                _ => None,
            })?,
            mem_end: keys.number("mem_end")?,
        })
    }
}

impl RangeLine {
    fn read(keys: &mut Keys<'_>) -> Result<Self, BadLine> {
        Ok(Self {
            base: keys.number("base")?,
            bytes: keys.number("size")?,
        })
    }
}

impl InitLine {
    fn read(keys: &mut Keys<'_>) -> Result<Self, BadLine> {
        let is_late = keys.read("kind", "early or late", |text| match text {
            "early" => Some(false),
            "late" => Some(true),
            _ => None,
        })?;
        let bytes = keys.number("late_size")?;
        let zone = keys.read("late_zone", "normal, dma32 or dma", |text| match text {
            "normal" => Some(crate::Zone::Normal),
            "dma32" => Some(crate::Zone::Dma32),
            "dma" => Some(crate::Zone::Dma),
            _ => None,
        })?;
        let requests = keys.read("requests", "bytes=answer;... or -", parse_requests)?;
        let result = keys.text("result")?.to_owned();
        let base = keys.read("base", "an address or -", |text| match text {
            "-" => Some(None),
            text => parse_number(text.as_bytes()).map(Some),
        })?;
        Ok(Self {
            late: is_late.then_some((bytes, zone)),
            requests,
            result,
            base,
            slots: keys.number("nslabs")?,
            areas: keys.number("nareas")?,
            grow_slots: keys.number("grow_nslabs")?,
            search_areas: keys.number("search_nareas")?,
            can_grow: keys.flag("can_grow")?,
            phys_limit: keys.number("phys_limit")?,
        })
    }
}

impl DeviceLine {
    fn read(keys: &mut Keys<'_>) -> Result<Self, BadLine> {
        Ok(Self {
            id: keys.read("id", "a number up to 4095", parse_id)?,
            dma_mask: keys.number("dma_mask")?,
            bus_limit: keys.number("bus_limit")?,
            min_align_mask: keys.number32("min_align_mask")?,
            seg_boundary_mask: keys.number("seg_boundary_mask")?,
            dma_offset: keys.number("dma_offset")?,
            needs_unencrypted: keys.flag("unenc")?,
            restricted: keys.read("alloc", "default or R and a number", |text| match text {
                "default" => Some(None),
                text => parse_id(text.strip_prefix('R')?).map(Some),
            })?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_line_is_read() {
        let line = "@dev id=1 dma_mask=0xffffffff min_align_mask=0xfff seg_boundary_mask=0x0 \
                    bus_limit=0x0 dma_offset=0x1000 unenc=1 alloc=R0";
        let Ok(Setup::Device(device)) = Setup::parse(line) else {
            panic!("the line is a device");
        };
        assert_eq!((device.id, device.min_align_mask), (1, 0xfff));
        assert_eq!(
            (device.restricted, device.needs_unencrypted),
            (Some(0), true)
        );
    }

    #[test]
    fn unknown_missing_repeated_and_bad_keys_are_named() {
        let error = |line: &str| {
            let BadLine {
                column,
                expected,
                got,
            } = Setup::parse(line).unwrap_err();
            format!("{column}: {expected}: {got}")
        };
        assert_eq!(
            error("@mem base=0x0 size=1 colour=red"),
            "@mem: no further key: colour=red"
        );
        assert_eq!(error("@mem base=0x0"), "@mem: key size: none");
        assert_eq!(error("@mem base=0x0 base=1"), "@mem: each key once: base=1");
        assert_eq!(
            error("@mem base=zero size=1"),
            "base: a 64-bit number: zero"
        );
        assert_eq!(
            error("@what"),
            "set-up line: @scenario, @mem, @init, @restricted or @dev: @what"
        );
        assert_eq!(error("@mem base"), "@mem: key=value: base");
    }

    #[test]
    fn requests_and_answers_are_read() {
        assert_eq!(
            parse_requests("2097152=FAIL;1048576=0x1000000"),
            Some(vec![(2_097_152, None), (1_048_576, Some(0x100_0000))])
        );
        assert_eq!(parse_requests("-"), Some(vec![]));
        assert_eq!(parse_requests("1048576"), None);
    }
}
