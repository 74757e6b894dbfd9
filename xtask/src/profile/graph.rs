//! A flame graph as SVG: each function as wide as its share, above who called it, in its layer's colour. A click looks closer.
//!
//! Drawn here instead of by the `inferno` library: that would turn on features of a dependency which it shares with the vectorised engine, so that the
//! engine would be built once more for tests; and it knows no layers. The folded stacks lie beside the graph for whoever prefers its tools.

use super::layers::{self, LAYERS};
use super::stacks::Stacks;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const WIDTH: f64 = 1_600.0;
const ROW_HEIGHT: f64 = 17.0;
/// Title and legend.
const HEAD: f64 = 56.0;
const LETTER_WIDTH: f64 = 6.6;
/// Narrower than this share of all samples is left out.
const SHARE_MIN: f64 = 0.0002;
/// One for each layer, in their order.
const COLOURS: [&str; 8] = ["#8fb8de", "#9ad0c2", "#f2c879", "#ee9b6b", "#b9a3d6", "#d98cb3", "#b5c97a", "#e0d27f"];
const NO_COLOUR: &str = "#d5d5d5";
const _: () = assert!(COLOURS.len() == LAYERS.len());

const SCRIPT: &str = "\
const all=[...document.querySelectorAll('g[data-w]')],W=document.documentElement.viewBox.baseVal.width;\
function look(x,w){for(const g of all){const a=(g.dataset.x-x)/w*W,b=g.dataset.w/w*W,[r,t]=[g.querySelector('rect'),g.querySelector('text')];\
g.style.display=b<0.5||a+b<=0||a>=W?'none':'';const l=Math.max(a,0),v=Math.min(a+b,W)-l;r.setAttribute('x',l);r.setAttribute('width',v);\
t.setAttribute('x',l+3);const n=Math.floor((v-6)/6.6);t.textContent=n<3?'':g.dataset.n.length>n?g.dataset.n.slice(0,n-1)+'\\u2026':g.dataset.n}}\
for(const g of all)g.onclick=()=>look(+g.dataset.x,+g.dataset.w);look(+all[0].dataset.x,+all[0].dataset.w);";

#[derive(Default)]
struct Frame {
    samples: u64,
    above: BTreeMap<String, Frame>,
}

impl Frame {
    fn add(&mut self, stack: &[String], samples: u64) {
        self.samples += samples;
        if let Some((first, rest)) = stack.split_first() {
            self.above.entry(first.clone()).or_default().add(rest, samples);
        }
    }

    /// Rows above this one that are wide enough.
    fn height(&self, least: f64) -> usize {
        let wide = self.above.values().filter(|frame| frame.samples as f64 >= least);
        wide.map(|frame| 1 + frame.height(least)).max().unwrap_or(0)
    }
}

/// The whole graph.
pub fn draw(stacks: &Stacks, title: &str) -> String {
    let mut root = Frame::default();
    stacks.0.iter().for_each(|(stack, count)| root.add(stack, *count));
    let least = root.samples as f64 * SHARE_MIN;
    let height = HEAD + (root.height(least) + 1) as f64 * ROW_HEIGHT;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"monospace\" font-size=\"11\">\n\
         <text x=\"3\" y=\"18\" font-size=\"15\">{}</text>\n",
        escaped(title)
    );
    for (at, layer) in LAYERS.iter().enumerate() {
        let x = 3.0 + at as f64 * 100.0;
        let _ = writeln!(svg, "<rect x=\"{x}\" y=\"28\" width=\"12\" height=\"12\" fill=\"{}\"/>", COLOURS[at]);
        let _ = writeln!(svg, "<text x=\"{}\" y=\"38\">{layer}</text>", x + 16.0);
    }
    let mut place = Place { total: root.samples, least, bottom: height - ROW_HEIGHT };
    place.frame(&mut svg, "all", &root, 0, 0);
    let _ = writeln!(svg, "<script><![CDATA[{SCRIPT}]]></script>\n</svg>");
    svg
}

struct Place {
    total: u64,
    least: f64,
    bottom: f64,
}

impl Place {
    fn frame(&mut self, svg: &mut String, name: &str, frame: &Frame, from: u64, depth: usize) {
        let scale = WIDTH / self.total.max(1) as f64;
        let (x, width) = (from as f64 * scale, frame.samples as f64 * scale);
        let y = self.bottom - depth as f64 * ROW_HEIGHT;
        let share = frame.samples as f64 * 100.0 / self.total.max(1) as f64;
        let layer = layers::of(name);
        let colour = layer.and_then(|layer| LAYERS.iter().position(|known| *known == layer)).map_or(NO_COLOUR, |at| COLOURS[at]);
        let shown = ((width - 6.0) / LETTER_WIDTH).max(0.0) as usize;
        let label: String = if shown < 3 { String::new() } else { name.chars().take(shown).collect() };
        let told = escaped(name);
        let _ = writeln!(
            svg,
            "<g data-x=\"{from}\" data-w=\"{}\" data-n=\"{told}\"><title>{told}: {share:.2} % {}</title>\
             <rect x=\"{x:.2}\" y=\"{y}\" width=\"{width:.2}\" height=\"{}\" rx=\"1\" fill=\"{colour}\"/>\
             <text x=\"{:.2}\" y=\"{}\">{}</text></g>",
            frame.samples,
            layer.unwrap_or_default(),
            ROW_HEIGHT - 1.0,
            x + 3.0,
            y + 12.0,
            escaped(&label)
        );
        let mut next = from;
        for (name, above) in &frame.above {
            if above.samples as f64 >= self.least {
                self.frame(svg, name, above, next, depth + 1);
            }
            next += above.samples;
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_function_is_as_wide_as_its_share() {
        let stack = |functions: &[&str]| functions.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let stacks = Stacks(BTreeMap::from([
            (stack(&["node", "sql::exec::run", "core::slice::sort<T>"]), 3),
            (stack(&["node", "sql::session::output::row"]), 1),
        ]));
        let svg = draw(&stacks, "a & b");
        assert!(svg.contains("<title>sql::exec::run: 75.00 % execute</title><rect x=\"0.00\""), "{svg}");
        assert!(svg.contains("<title>sql::session::output::row: 25.00 % reply</title><rect x=\"1200.00\""), "{svg}");
        assert!(svg.contains("core::slice::sort&lt;T&gt;") && svg.contains("a &amp; b"));
    }
}
