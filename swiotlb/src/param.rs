//! The kernel parameter `swiotlb=`, read as the kernel reads it.

use std::fmt;

use crate::policy::Policy;
use crate::sizing::BootConfig;

/// Something in the parameter that the kernel takes without a word, but hardly as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParamWarning {
    /// The rest of the string is not used.
    UnusedTail {
        /// The rest.
        rest: String,
    },
    /// A word begins like a known one and is taken for it.
    PrefixMatch {
        /// The word as known.
        word: &'static str,
        /// The word as written.
        written: String,
    },
    /// A leading zero makes a number octal.
    Octal {
        /// The digits read.
        text: String,
    },
    /// The number is above 2^64 - 1 and is taken as that.
    Saturated {
        /// The digits read.
        text: String,
    },
    /// A word that is no option of [`Policy::PerBuffer`]; it is skipped.
    InvalidOption {
        /// The word.
        word: String,
    },
    /// The kernel keeps the lower 32 bits of the number of areas.
    AreasCut {
        /// The number as written.
        written: u64,
        /// What is left of it.
        areas: u32,
    },
    /// More than 2^31 areas; the count is ignored.
    TooManyAreas {
        /// The count, as far as the kernel keeps it.
        areas: u32,
    },
}

impl fmt::Display for ParamWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnusedTail { rest } => write!(f, "swiotlb=: `{rest}` is not used"),
            Self::PrefixMatch { word, written } => {
                write!(f, "swiotlb=: `{written}` is taken as `{word}`")
            }
            Self::Octal { text } => write!(f, "swiotlb=: `{text}` is read as octal"),
            Self::Saturated { text } => write!(f, "swiotlb=: `{text}` is too large"),
            Self::InvalidOption { word } => write!(f, "Invalid swiotlb option: `{word}`"),
            Self::AreasCut { written, areas } => write!(
                f,
                "swiotlb=: of {written} areas the lower 32 bits are taken, {areas}"
            ),
            Self::TooManyAreas { areas } => {
                write!(f, "swiotlb=: {areas} areas are more than 2^31, ignored")
            }
        }
    }
}

/// The numbers of one occurrence of `swiotlb=`, as they are written and before the kernel rounds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ParamNumbers {
    /// Slots.
    pub slots: Option<u64>,
    /// Areas, with all their bits.
    pub areas: Option<u64>,
}

impl ParamNumbers {
    /// Reads the numbers as [`BootConfig::parse`] does: `0x` is hexadecimal, another leading zero octal.
    #[must_use]
    pub fn parse(value: &str) -> Self {
        let warnings = Vec::new();
        Cursor {
            text: value,
            warnings,
        }
        .numbers()
    }
}

/// A cursor over the parameter.
struct Cursor<'a> {
    text: &'a str,
    warnings: Vec<ParamWarning>,
}

impl Cursor<'_> {
    fn skip_comma(&mut self) {
        self.text = self.text.strip_prefix(',').unwrap_or(self.text);
    }

    /// Reads a number in C notation, if the cursor is on a decimal digit.
    fn number(&mut self) -> Option<u64> {
        let bytes = self.text.as_bytes();
        if !bytes.first()?.is_ascii_digit() {
            return None;
        }
        let hex = bytes[0] == b'0'
            && matches!(bytes.get(1), Some(b'x' | b'X'))
            && bytes.get(2).is_some_and(u8::is_ascii_hexdigit);
        let (radix, skip) = match bytes[0] {
            b'0' if hex => (16, 2),
            b'0' => (8, 0),
            _ => (10, 0),
        };
        let len = skip
            + self.text[skip..]
                .chars()
                .take_while(|c| c.is_digit(radix))
                .count();
        let (digits, rest) = self.text.split_at(len);
        let next_is_digit = rest.starts_with(|c: char| c.is_ascii_digit());
        if radix == 8 && (len > 1 || next_is_digit) {
            self.warnings.push(ParamWarning::Octal {
                text: digits.to_owned(),
            });
        }
        let value = u64::from_str_radix(&digits[skip..], radix);
        if value.is_err() {
            self.warnings.push(ParamWarning::Saturated {
                text: digits.to_owned(),
            });
        }
        self.text = rest;
        Some(value.unwrap_or(u64::MAX))
    }

    /// Reads the two numbers and the comma between them.
    fn numbers(&mut self) -> ParamNumbers {
        let slots = self.number();
        self.skip_comma();
        let areas = self.number();
        ParamNumbers { slots, areas }
    }

    /// Reads `word`, matched as a prefix.
    fn word(&mut self, word: &'static str) -> bool {
        let Some(rest) = self.text.strip_prefix(word) else {
            return false;
        };
        if !rest.is_empty() && !rest.starts_with(',') {
            let end = rest.find(',').unwrap_or(rest.len());
            self.warnings.push(ParamWarning::PrefixMatch {
                word,
                written: format!("{word}{}", &rest[..end]),
            });
        }
        self.text = rest;
        true
    }
}

impl BootConfig {
    /// Reads one occurrence of `swiotlb=`; effects of several accumulate.
    ///
    /// Never fails: what the kernel ignores is ignored here, and reported as a warning.
    pub fn parse(&mut self, value: &str) -> Vec<ParamWarning> {
        let mut cursor = Cursor {
            text: value,
            warnings: Vec::new(),
        };
        let numbers = cursor.numbers();
        if let Some(slots) = numbers.slots {
            self.set_default_slots(slots);
        }
        if let Some(written) = numbers.areas {
            #[expect(clippy::cast_possible_truncation, reason = "the kernel keeps 32 bits")]
            let areas = written as u32;
            if u64::from(areas) != written {
                let cut = ParamWarning::AreasCut { written, areas };
                cursor.warnings.push(cut);
            }
            if areas > 1 << 31 {
                cursor.warnings.push(ParamWarning::TooManyAreas { areas });
            } else {
                self.set_areas(areas);
            }
        }
        cursor.skip_comma();
        if self.options.policy == Policy::PerBuffer {
            self.parse_options(&mut cursor);
            return cursor.warnings;
        }
        if cursor.word("force") {
            self.force = true;
        } else if cursor.word("noforce") {
            self.noforce = true;
        }
        if self.options.has_statistics {
            cursor.skip_comma();
            if cursor.word("track_hiwater") {
                self.track_hiwater = true;
            }
        }
        if !cursor.text.is_empty() {
            cursor.warnings.push(ParamWarning::UnusedTail {
                rest: cursor.text.to_owned(),
            });
        }
        cursor.warnings
    }

    /// Reads the list of options of [`Policy::PerBuffer`], each matched exactly.
    fn parse_options(&mut self, cursor: &mut Cursor<'_>) {
        for word in cursor.text.split(',').filter(|word| !word.is_empty()) {
            match word {
                "force" => self.force = true,
                "noforce" => self.noforce = true,
                "dynamic" => self.dynamic = true,
                _ => cursor.warnings.push(ParamWarning::InvalidOption {
                    word: word.to_owned(),
                }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::area::limit_areas;
    use crate::sizing::BootOptions;

    /// Slots and areas after parsing, flags, and slots, areas and slots per area at early init.
    type Row = (&'static str, u64, u32, (bool, bool, bool), u64, u32, u64);

    #[test]
    fn numbers_are_told_as_written() {
        let rows = [
            ("1100", Some(1100), None),
            ("0x3e8,3,force", Some(1000), Some(3)),
            ("010,4294967297", Some(8), Some(4_294_967_297)),
            ("08,force", Some(0), Some(8)),
            (",3", None, Some(3)),
            ("force,65536", None, None),
        ];
        for (value, slots, areas) in rows {
            let found = ParamNumbers::parse(value);
            assert_eq!(found, ParamNumbers { slots, areas }, "{value}");
        }
    }

    fn parsed(value: Option<&str>) -> BootConfig {
        let mut boot = BootConfig::new(BootOptions::default());
        if let Some(value) = value {
            boot.parse(value);
        }
        boot
    }

    fn finish(boot: &mut BootConfig, cpus: u32) -> (u64, u32, u64) {
        boot.set_areas_from_cpus(cpus);
        let slots = boot.default_slots();
        let areas = limit_areas(boot.default_areas(), slots);
        (slots, areas, slots / u64::from(areas))
    }

    #[test]
    fn strings_give_what_the_kernels_parser_gave() {
        const NONE: (bool, bool, bool) = (false, false, false);
        const FORCE: (bool, bool, bool) = (true, false, false);
        let rows: &[Row] = &[
            ("", 32768, 0, NONE, 32768, 8, 4096),
            ("65536", 65536, 0, NONE, 65536, 8, 8192),
            ("0", 0, 0, NONE, 1024, 8, 128),
            ("1", 128, 0, NONE, 1024, 8, 128),
            ("0x1000", 4096, 0, NONE, 4096, 8, 512),
            ("1000", 1024, 0, NONE, 1024, 8, 128),
            ("1000,3", 1024, 4, NONE, 1024, 4, 256),
            ("384,8", 1024, 8, NONE, 1024, 8, 128),
            (",3", 32768, 4, NONE, 32768, 4, 8192),
            ("08,force", 1024, 8, FORCE, 1024, 8, 128),
            ("65536,4,force", 65536, 4, FORCE, 65536, 4, 16384),
            ("65536,,force", 65536, 0, FORCE, 65536, 8, 8192),
            (",force", 32768, 0, FORCE, 32768, 8, 4096),
            ("force", 32768, 0, FORCE, 32768, 8, 4096),
            ("forcexyz", 32768, 0, FORCE, 32768, 8, 4096),
            ("force,65536", 32768, 0, FORCE, 32768, 8, 4096),
            (
                "track_hiwater,force",
                32768,
                0,
                (false, false, true),
                32768,
                8,
                4096,
            ),
            (
                "65536,4,noforce,track_hiwater",
                65536,
                4,
                (false, true, true),
                65536,
                4,
                16384,
            ),
            ("-1,force", 32768, 0, NONE, 32768, 8, 4096),
            ("1,2,3,force", 256, 2, NONE, 256, 2, 128),
        ];
        for &(value, slots, areas, flags, final_slots, final_areas, per_area) in rows {
            let mut boot = parsed(Some(value));
            assert_eq!(boot.default_slots(), slots, "slots of `{value}`");
            assert_eq!(boot.default_areas(), areas, "areas of `{value}`");
            let found = (boot.force, boot.noforce, boot.track_hiwater);
            assert_eq!(found, flags, "flags of `{value}`");
            let end = finish(&mut boot, 6);
            assert_eq!(end, (final_slots, final_areas, per_area), "`{value}`");
        }
        assert_eq!(finish(&mut parsed(None), 512), (65536, 512, 128));
    }

    #[test]
    fn what_the_kernel_swallows_is_reported() {
        let mut boot = BootConfig::new(BootOptions::default());
        let texts = |warnings: Vec<ParamWarning>| -> Vec<String> {
            warnings.iter().map(ParamWarning::to_string).collect()
        };
        assert_eq!(
            texts(boot.parse("force,65536")),
            ["swiotlb=: `65536` is not used"]
        );
        assert_eq!(
            texts(boot.parse("forcexyz")),
            [
                "swiotlb=: `forcexyz` is taken as `force`",
                "swiotlb=: `xyz` is not used"
            ]
        );
        assert_eq!(
            texts(boot.parse("08,force")),
            ["swiotlb=: `0` is read as octal"]
        );
        assert_eq!(
            texts(boot.parse("99999999999999999999")),
            ["swiotlb=: `99999999999999999999` is too large"]
        );
        assert!(boot.parse("65536,4,force,track_hiwater").is_empty());
        assert!(boot.parse("0").is_empty());
    }

    #[test]
    fn a_number_of_areas_above_32_bits_is_cut_with_a_warning() {
        let mut boot = BootConfig::new(BootOptions::default());
        let warnings = boot.parse("4096,4294967299,force");
        let texts: Vec<String> = warnings.iter().map(ParamWarning::to_string).collect();
        assert_eq!(
            texts,
            ["swiotlb=: of 4294967299 areas the lower 32 bits are taken, 3"]
        );
        assert_eq!((boot.default_areas(), boot.force), (4, true));
    }

    #[test]
    fn more_than_2_to_the_31_areas_are_refused() {
        let mut boot = BootConfig::new(BootOptions::default());
        let warnings = boot.parse("1024,2147483649");
        assert_eq!(
            warnings,
            [ParamWarning::TooManyAreas {
                areas: 2_147_483_649
            }]
        );
        assert_eq!(boot.default_areas(), 0);
    }

    #[test]
    fn without_statistics_track_hiwater_is_an_unused_tail() {
        let mut boot = BootConfig::new(BootOptions {
            has_statistics: false,
            ..BootOptions::default()
        });
        let warnings = boot.parse("65536,4,force,track_hiwater");
        assert!(!boot.track_hiwater);
        assert_eq!(
            warnings,
            [ParamWarning::UnusedTail {
                rest: ",track_hiwater".to_owned()
            }]
        );
    }

    #[test]
    fn buffers_of_their_own_are_asked_for_by_a_list_of_exact_words() {
        let mut boot = BootConfig::new(BootOptions {
            policy: Policy::PerBuffer,
            ..BootOptions::default()
        });
        assert!(boot.parse("4096,2,dynamic,force").is_empty());
        assert!(boot.dynamic && boot.force);
        let warnings = boot.parse("forcexyz,noforce,track_hiwater");
        let texts: Vec<String> = warnings.iter().map(ParamWarning::to_string).collect();
        assert_eq!(
            texts,
            [
                "Invalid swiotlb option: `forcexyz`",
                "Invalid swiotlb option: `track_hiwater`"
            ]
        );
        assert!(boot.noforce && !boot.track_hiwater);
        let mut plain = BootConfig::new(BootOptions::default());
        plain.parse("dynamic");
        assert!(!plain.dynamic);
    }

    #[test]
    fn several_occurrences_accumulate() {
        let mut boot = BootConfig::new(BootOptions::default());
        boot.parse("force");
        boot.parse("4096,2");
        boot.parse("noforce");
        assert!(boot.force && boot.noforce);
        assert_eq!((boot.default_slots(), boot.default_areas()), (4096, 2));
    }
}
