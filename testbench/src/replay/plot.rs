//! The curve of slots in use: a line of blocks for the terminal, and a picture as SVG.

use std::fmt::Write as _;

use crate::replay::figures::{Figures, Point};
use crate::replay::survey::Survey;

/// Draws the curve as a line of `width` blocks, each as high as its peak.
#[must_use]
pub fn sparkline(curve: &[Point], width: usize) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let peak = curve
        .iter()
        .map(|point| point.used_slots)
        .max()
        .unwrap_or(0)
        .max(1);
    let part = curve.len().div_ceil(width.max(1)).max(1);
    let block = |points: &[Point]| {
        let used = points
            .iter()
            .map(|point| point.used_slots)
            .max()
            .unwrap_or(0);
        let level = (used * 8).div_ceil(peak);
        let index = usize::try_from(level).unwrap_or(8);
        if index == 0 { ' ' } else { BLOCKS[index - 1] }
    };
    curve.chunks(part).map(block).collect()
}

/// Size of the picture.
const WIDTH: u64 = 960;
/// Its height.
const HEIGHT: u64 = 360;
/// Room beside the curve.
const MARGIN: u64 = 56;

/// Draws the curve with its phases as SVG. Fonts are those of the viewer.
#[must_use]
pub fn svg(survey: &Survey, figures: &Figures, pool_slots: u64) -> String {
    let peak = figures.peak().max(1);
    // The pool's size is drawn only where the curve would not shrink to a line at the bottom.
    let shows_pool = pool_slots <= peak * 4;
    let top = if shows_pool {
        pool_slots.max(peak)
    } else {
        peak
    };
    let (plot_width, plot_height) = (WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN);
    let y = |slots: u64| MARGIN + plot_height - slots * plot_height / top;
    let span = survey.last_ns.saturating_sub(survey.first_ns).max(1);
    let x = |ns: u64| {
        let scaled = u128::from(ns.saturating_sub(survey.first_ns)) * u128::from(plot_width)
            / u128::from(span);
        MARGIN + u64::try_from(scaled).unwrap_or(plot_width).min(plot_width)
    };
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<title>swiotlb slots in use over time</title>\n<rect width=\"100%\" height=\"100%\" \
         fill=\"white\"/>\n"
    );
    let mut line = |from: (u64, u64), to: (u64, u64), style: &str| {
        let _ = writeln!(
            text,
            "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" {style}/>",
            from.0, from.1, to.0, to.1
        );
    };
    for phase in &survey.phases {
        let at = x(phase.start_ns);
        line((at, MARGIN), (at, MARGIN + plot_height), "stroke=\"#ccc\"");
    }
    let (left, right, bottom) = (MARGIN, WIDTH - MARGIN, MARGIN + plot_height);
    line((left, bottom), (right, bottom), "stroke=\"black\"");
    line((left, MARGIN), (left, bottom), "stroke=\"black\"");
    line(
        (left, y(peak)),
        (right, y(peak)),
        "stroke=\"#c60\" stroke-dasharray=\"2 4\"",
    );
    if shows_pool {
        line(
            (left, y(pool_slots)),
            (right, y(pool_slots)),
            "stroke=\"#c00\" stroke-dasharray=\"6 3\"",
        );
    }
    let mut path = String::new();
    for (index, point) in figures.curve.iter().enumerate() {
        let at = MARGIN + index as u64 * plot_width / figures.curve.len() as u64;
        let _ = write!(path, "{at},{} ", y(point.used_slots));
    }
    let _ = writeln!(
        text,
        "<polyline points=\"{left},{bottom} {path}{right},{bottom}\" fill=\"#3a7bd555\" stroke=\"#3a7bd5\"/>"
    );
    for phase in &survey.phases {
        let at = x(phase.start_ns) + 3;
        let _ = writeln!(
            text,
            "<text x=\"{at}\" y=\"{}\" transform=\"rotate(-30 {at} {})\" fill=\"#555\">{}</text>",
            MARGIN - 4,
            MARGIN - 4,
            escaped(&phase.name)
        );
    }
    let seconds = span / 1_000_000_000;
    let millis = span / 1_000_000 % 1000;
    let pool = format!("pool {pool_slots} slots");
    let labels = [
        (4, y(peak) + 4, format!("{peak}")),
        (4, bottom, "0".to_owned()),
        (right - 60, bottom + 18, format!("{seconds}.{millis:03} s")),
        (
            left,
            bottom + 18,
            format!("slots of 2 KiB in use, peak {peak}; {pool}"),
        ),
    ];
    for (at, height, label) in labels {
        let _ = writeln!(text, "<text x=\"{at}\" y=\"{height}\">{label}</text>");
    }
    text.push_str("</svg>\n");
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_as_high_as_the_peak_of_their_part() {
        let curve: Vec<Point> = [0, 1, 8, 4, 2, 0]
            .into_iter()
            .map(|used_slots| Point {
                used_slots,
                total_slots: 8,
            })
            .collect();
        assert_eq!(sparkline(&curve, 6), " ▁█▄▂ ");
        assert_eq!(sparkline(&curve, 3), "▁█▂");
    }

    #[test]
    fn the_picture_names_its_phases_and_its_peak() {
        let mut survey = Survey::new();
        survey.last_ns = 5_250_000_000;
        survey.phases[0].name = "a<b".to_owned();
        let mut figures = Figures::new(0, 0, survey.last_ns);
        figures.note_use(300, 1024, 1_000_000_000);
        let picture = svg(&survey, &figures, 1024);
        assert!(picture.contains("a&lt;b") && picture.contains("peak 300; pool 1024 slots"));
        assert!(picture.contains("5.250 s") && picture.ends_with("</svg>\n"));
    }
}
