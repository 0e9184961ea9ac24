//! Plots: inline SVG, coloured by classes, each with its figures as a table beside it.

use maud::{Markup, html};

use crate::view::{DayOf, SumOf};

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// A count on an axis of `most`, as a length.
#[expect(clippy::cast_precision_loss, reason = "a length on a screen")]
fn length(count: u64, most: u64, whole: f64) -> f64 {
    if most == 0 { 0.0 } else { count as f64 / most as f64 * whole }
}

/// A coordinate with one digit behind the point: the same on every machine, and short.
fn at(value: f64) -> String {
    format!("{value:.1}")
}

fn figure(id: &str, title: &str, told: &str, plot: &Markup, table: &Markup) -> Markup {
    html! {
        figure {
            figcaption id={ "plot-" (id) } { (title) }
            (plot)
            details {
                summary { "The figures" }
                p { (told) }
                (table)
            }
        }
    }
}

/// Sessions of each day.
#[expect(clippy::cast_precision_loss, reason = "positions on a screen")]
pub(super) fn days(days: &[DayOf]) -> Markup {
    let most = days.iter().map(|day| day.sessions).max().unwrap_or_default();
    let (width, height, left) = (620.0, 170.0, 34.0);
    let step = (width - left) / days.len().max(1) as f64;
    let every = days.len().div_ceil(8).max(1);
    let plot = html! {
        svg viewBox="0 0 620 200" role="img" aria-labelledby="plot-days" {
            line .axis x1=(at(left)) y1=(at(height)) x2="620" y2=(at(height)) {}
            text x="0" y="14" { (most) }
            text x="0" y=(at(height)) { "0" }
            @for (nth, day) in days.iter().enumerate() {
                @let tall = length(day.sessions, most, height - 10.0);
                @let x = left + step * nth as f64;
                rect .bar x=(at(x + step * 0.1)) y=(at(height - tall)) width=(at(step * 0.8)) height=(at(tall)) {
                    title { (day.day) ": " (day.sessions) }
                }
                @if nth % every == 0 {
                    text x=(at(x)) y="188" { (day.day.strftime("%b %-d").to_string()) }
                }
            }
        }
    };
    let table = html! {
        table {
            thead { tr { th scope="col" { "Day" } th.number scope="col" { "Sessions" } } }
            tbody { @for day in days { tr { td { (day.day) } td.number { (day.sessions) } } } }
        }
    };
    figure("days", "Sessions per day", "Sessions by the day on which they began.", &plot, &table)
}

/// Sessions by weekday and hour.
#[expect(clippy::cast_precision_loss, reason = "positions on a screen")]
pub(super) fn hours(counts: &[[u64; 24]; 7], zone: &str) -> Markup {
    let most = counts.iter().flatten().copied().max().unwrap_or_default();
    // None is a shade of its own; the rest is parted in five.
    let shade = |count: u64| if count == 0 { 0 } else { (count * 5).div_ceil(most.max(1)).min(5) };
    let (left, cell) = (34.0, 24.4);
    let plot = html! {
        svg viewBox="0 0 620 200" role="img" aria-labelledby="plot-hours" {
            @for (row, counts) in counts.iter().enumerate() {
                @let y = row as f64 * 25.0;
                text x="0" y=(at(y + 16.0)) { (WEEKDAYS[row]) }
                @for (hour, count) in counts.iter().enumerate() {
                    rect class={ "h" (shade(*count)) } x=(at(left + cell * hour as f64)) y=(at(y)) width=(at(cell - 2.0))
                        height="23" rx="2" { title { (WEEKDAYS[row]) " " (hour) ":00: " (count) } }
                }
            }
            @for hour in [0, 6, 12, 18] {
                text x=(at(left + cell * f64::from(hour))) y="190" { (hour) ":00" }
            }
            text x="618" y="190" text-anchor="end" { "23:00" }
        }
    };
    let table = html! {
        div.scroll tabindex="0" role="group" aria-label="Sessions by weekday and hour" {
            table {
                thead { tr {
                    th scope="col" { "Day" }
                    @for hour in 0..24 { th.number scope="col" { (hour) } }
                } }
                tbody { @for (day, counts) in WEEKDAYS.iter().zip(counts) {
                    tr { th scope="row" { (day) } @for count in counts { td.number { (count) } } }
                } }
            }
        }
    };
    let told = format!("Sessions by the weekday and hour at which they began, {zone}.");
    figure("hours", "When: weekday and hour", &told, &plot, &table)
}

/// What has most, as bars that lie.
#[expect(clippy::cast_precision_loss, reason = "positions on a screen")]
pub(super) fn top(
    id: &str,
    title: &str,
    others: &str,
    sums: &[SumOf],
    name: &dyn Fn(&SumOf) -> String,
) -> Markup {
    let sums = &sums[..sums.len().min(10)];
    let most = sums.iter().map(|sum| sum.sum.sessions).max().unwrap_or_default();
    let height = sums.len().max(1) * 22;
    let plot = html! {
        svg viewBox={ "0 0 620 " (height) } role="img" aria-labelledby={ "plot-" (id) } {
            @for (row, sum) in sums.iter().enumerate() {
                @let y = row as f64 * 22.0;
                @let long = length(sum.sum.sessions, most, 260.0);
                text.name x="0" y=(at(y + 14.0)) { (clip(&name(sum), 44)) }
                rect .bar x="300" y=(at(y + 3.0)) width=(at(long)) height="15" { title { (name(sum)) ": " (sum.sum.sessions) } }
                text x=(at(306.0 + long)) y=(at(y + 14.0)) { (sum.sum.sessions) }
            }
        }
    };
    let table = html! {
        div.scroll tabindex="0" role="group" aria-label=(title) {
            table {
                thead { tr {
                    th scope="col" { "Name" } th.number scope="col" { "Sessions" } th.number scope="col" { (others) }
                    th.number scope="col" { "Commands" }
                } }
                tbody { @for sum in sums { tr {
                    td.id { (name(sum)) } td.number { (sum.sum.sessions) } td.number { (sum.others) }
                    td.number { (sum.sum.commands) }
                } } }
            }
        }
    };
    figure(id, title, "The ten with most sessions.", &plot, &table)
}

/// Shares of a whole, as one bar: name, class, count.
pub(super) fn shares(id: &str, title: &str, told: &str, shares: &[(&str, &str, u64)]) -> Markup {
    let total: u64 = shares.iter().map(|(.., count)| count).sum();
    let mut x = 0.0;
    let mut bars = Vec::new();
    for (name, class, count) in shares.iter().filter(|(.., count)| *count > 0) {
        let wide = length(*count, total, 620.0);
        bars.push((x, wide, *name, *class, *count));
        x += wide;
    }
    let height = 40 + shares.len() * 20;
    let plot = html! {
        svg viewBox={ "0 0 620 " (height) } role="img" aria-labelledby={ "plot-" (id) } {
            @if bars.is_empty() { rect.h0 x="0" y="0" width="620" height="26" rx="3" {} }
            @for (x, wide, name, class, count) in &bars {
                rect class=(class) x=(at(*x)) y="0" width=(at((wide - 1.5).max(1.0))) height="26" { title { (name) ": " (count) } }
            }
            @for (row, (name, class, count)) in shares.iter().enumerate() {
                @let y = 40 + row * 20;
                rect class=(class) x="0" y=(y) width="12" height="12" rx="2" {}
                text.name x="20" y=(y + 11) { (name) ": " (count) }
            }
        }
    };
    let table = html! {
        table { tbody { @for (name, _, count) in shares { tr { th scope="row" { (name) } td.number { (count) } } } } }
    };
    figure(id, title, told, &plot, &table)
}

/// The end of a text that is too long: of an ARN that is what tells people apart.
fn clip(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let tail: String = text.chars().skip(count + 1 - most).collect();
    format!("…{tail}")
}
