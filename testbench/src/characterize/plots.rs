//! The plots of a data sheet, as SVG: how well the bus is used, and what transfers cost.

use plotters::chart::{ChartBuilder, SeriesLabelPosition};
use plotters::drawing::{DrawingAreaErrorKind, IntoDrawingArea as _};
use plotters::element::{Circle, PathElement};
use plotters::prelude::SVGBackend;
use plotters::series::LineSeries;
use plotters::style::{BLACK, Color as _, RGBColor, WHITE};
use rebound_sim::manifest::Direction;

use crate::characterize::cost::{Cost, CostRow, as_float};
use crate::characterize::sheet::{Sheet, Timing};
use crate::characterize::tables::latencies;
use crate::characterize::words::size;

/// Why a plot could not be drawn.
pub(super) type PlotError = DrawingAreaErrorKind<std::io::Error>;

/// Width and height.
const SIZE: (u32, u32) = (560, 320);
/// Room for the names of the lines, right of the plot.
const LEGEND_WIDTH: u32 = 140;
/// Colours that stand out from white and from black; the page replaces black and white by its own.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0x3b, 0x7d, 0xd8),
    RGBColor(0xd9, 0x73, 0x0d),
    RGBColor(0x2e, 0x9e, 0x5b),
    RGBColor(0xb0, 0x46, 0x8f),
    RGBColor(0x8a, 0x7a, 0x1f),
    RGBColor(0xc4, 0x3c, 0x3c),
];

/// A plot with what it shows.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Plot {
    /// What it shows.
    pub title: String,
    /// The picture.
    pub svg: String,
}

/// One line of a plot: lengths in bytes and values.
#[derive(Debug)]
struct Line {
    label: String,
    points: Vec<(u64, f64)>,
}

/// What stands on the upright axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Axis {
    /// Beats per cycle, 0 to 100 %.
    Percent,
    /// Cycles, by powers of ten.
    Cycles,
}

/// All plots of a sheet that have points.
pub(super) fn plots(sheet: &Sheet, cost: Option<&Cost>) -> Result<Vec<Plot>, PlotError> {
    let mut plots = Vec::new();
    for facts in &sheet.directions {
        let direction = facts.direction;
        let name = direction.name();
        let kinds = [
            (
                format!("{name}: use of the bus, in beats per cycle, by length and latency"),
                Axis::Percent,
                by_latency(sheet, direction, |timing| 100.0 * timing.utilisation),
            ),
            (
                format!("{name}: cycles of a transfer, by length and latency"),
                Axis::Cycles,
                by_latency(sheet, direction, |timing| as_float(timing.cycles)),
            ),
            (
                format!("{name}: cycles with buffers within reach and bounced"),
                Axis::Cycles,
                cost.map_or_else(Vec::new, |cost| by_bounce(cost, direction)),
            ),
        ];
        for (title, axis, lines) in kinds {
            if lines.iter().any(|line| line.points.len() > 1) {
                let svg = draw(axis, &lines)?;
                plots.push(Plot { title, svg });
            }
        }
    }
    Ok(plots)
}

fn by_latency(sheet: &Sheet, direction: Direction, value: impl Fn(&Timing) -> f64) -> Vec<Line> {
    let line = |latency| {
        let timings = sheet.timings.iter();
        let own = timings.filter(|one| (one.direction, one.latency) == (direction, latency));
        let mut points: Vec<(u64, f64)> = own.map(|one| (one.bytes, value(one))).collect();
        points.sort_unstable_by_key(|point| point.0);
        Line {
            label: format!("latency {latency}"),
            points,
        }
    };
    latencies(&sheet.timings).into_iter().map(line).collect()
}

fn by_bounce(cost: &Cost, direction: Direction) -> Vec<Line> {
    let line = |label: &str, value: fn(&CostRow) -> f64| {
        let rows = cost.rows.iter().filter(|row| row.direction == direction);
        Line {
            label: label.to_owned(),
            points: rows.map(|row| (row.bytes, value(row))).collect(),
        }
    };
    let mut lines = vec![
        line("within reach", |row| as_float(row.direct_cycles)),
        line("bounced", |row| as_float(row.bounced_cycles)),
    ];
    if cost.beyond_bytes > 0 {
        lines.push(line("mean over RAM", |row| row.mean_cycles));
    }
    lines
}

fn pixels(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Draws lines over lengths by powers of two.
fn draw(axis: Axis, lines: &[Line]) -> Result<String, PlotError> {
    let points = || lines.iter().flat_map(|line| line.points.iter().copied());
    let log = |(bytes, value): (u64, f64)| {
        let height = match axis {
            Axis::Percent => value,
            Axis::Cycles => value.max(1.0).log10(),
        };
        (as_float(bytes.max(1)).log2(), height)
    };
    let least =
        |values: &dyn Fn((f64, f64)) -> f64| points().map(log).map(values).fold(f64::MAX, f64::min);
    let most =
        |values: &dyn Fn((f64, f64)) -> f64| points().map(log).map(values).fold(f64::MIN, f64::max);
    let width = least(&|point| point.0)..most(&|point| point.0);
    let height = match axis {
        Axis::Percent => 0.0..100.0_f64.max(most(&|point| point.1)),
        Axis::Cycles => least(&|point| point.1).floor()..most(&|point| point.1).ceil(),
    };
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin(8)
            .margin_right(LEGEND_WIDTH)
            .x_label_area_size(34)
            .y_label_area_size(64)
            .build_cartesian_2d(width, height)?;
        chart
            .configure_mesh()
            .light_line_style(BLACK.mix(0.0))
            .bold_line_style(BLACK.mix(0.15))
            .axis_style(BLACK.mix(0.6))
            .x_labels(10)
            .y_labels(6)
            .x_desc("length")
            .y_desc(match axis {
                Axis::Percent => "beats per cycle",
                Axis::Cycles => "cycles",
            })
            .x_label_formatter(&|power| power_text(*power, 2))
            .y_label_formatter(&|value| match axis {
                Axis::Percent => format!("{value:.0} %"),
                Axis::Cycles => power_text(*value, 10),
            })
            .label_style(("sans-serif", 15))
            .draw()?;
        for (line, colour) in lines.iter().zip(COLOURS.into_iter().cycle()) {
            let points: Vec<(f64, f64)> = line.points.iter().copied().map(log).collect();
            chart
                .draw_series(LineSeries::new(points.clone(), colour.stroke_width(2)))?
                .label(&line.label)
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2))
                });
            chart.draw_series(
                points
                    .into_iter()
                    .map(|at| Circle::new(at, 3, colour.filled())),
            )?;
        }
        // Beside the plot: wherever it lay within, it would hide a line of some core.
        let (plot_width, _) = chart.plotting_area().dim_in_pixel();
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::Coordinate(pixels(plot_width) + 12, 0))
            .label_font(("sans-serif", 15))
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.15))
            .draw()?;
        area.present()?;
    }
    Ok(svg)
}

/// Writes a power, if it is a whole one: `4 KiB` of 2, `10000` of 10.
fn power_text(power: f64, base: u64) -> String {
    let whole = power.round();
    if (power - whole).abs() > 1e-6 || !(0.0..64.0).contains(&whole) {
        return String::new();
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 63"
    )]
    let whole = whole as u32;
    match base {
        2 => 1_u64.checked_shl(whole).map_or_else(String::new, size),
        _ => base
            .checked_pow(whole)
            .map_or_else(String::new, |value| value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::characterize::cost::Machine;
    use crate::characterize::derived::Derived;
    use crate::characterize::fixtures;

    #[test]
    fn each_direction_has_its_three_plots_and_each_line_its_label() {
        let sheet = fixtures::truncating();
        let derived = Derived::of(&sheet, Machine::default());
        let plots = plots(&sheet, derived.cost.as_ref()).expect("drawn");
        assert_eq!(plots.len(), 3);
        for label in ["latency 1\n", "latency 10\n", "latency 100\n"] {
            assert!(plots[0].svg.contains(label), "{label}: {}", plots[0].svg);
        }
        assert!(plots[2].svg.contains("mean over RAM"));
        for plot in &plots {
            let document = roxmltree::Document::parse(&plot.svg).expect("well-formed");
            let lines = document
                .descendants()
                .filter(|node| node.has_tag_name("polyline"));
            assert!(lines.count() >= 3, "{}", plot.title);
        }
    }

    #[test]
    fn a_sheet_without_timings_has_no_plot() {
        let mut sheet = fixtures::sound();
        sheet.timings.clear();
        assert_eq!(plots(&sheet, None).expect("nothing to draw"), []);
    }

    #[test]
    fn axes_are_marked_at_whole_powers() {
        assert_eq!(power_text(12.0, 2), "4 KiB");
        assert_eq!(power_text(3.0, 10), "1000");
        assert_eq!(power_text(2.5, 2), "");
        assert_eq!(power_text(-1.0, 10), "");
    }
}
