"use strict";
// Draws the charts of a page from the data beside them. Without script the same
// stands there as a table.
(() => {
  const language = document.documentElement.lang || "en";
  const lines = ["--accent", "--warn", "--info", "--bad", "--good", "--ink-2"];
  const dashes = [[], [6, 4], [2, 3], [10, 4, 2, 4], [12, 4], [1, 4]];
  const drawn = [];

  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const number = (v) => new Intl.NumberFormat(language, { maximumSignificantDigits: 3 }).format(v);
  const scaled = (v, signs) => {
    let i = 0;
    while (Math.abs(v) >= 1000 && i < signs.length - 1) {
      v /= 1000;
      i++;
    }
    return number(v) + "\u00a0" + signs[i];
  };
  const units = {
    bits_per_second: (v) => scaled(v, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"]),
    percent: (v) => number(v) + "\u00a0%",
    celsius: (v) => number(v) + "\u00a0°C",
    watts: (v) => number(v) + "\u00a0W",
  };
  const clock = (options) => (seconds) => new Intl.DateTimeFormat(language, options).format(new Date(seconds * 1000));
  const whole = clock({ year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

  // A line across where another device began to be measured.
  function rule(plot, at) {
    const x = Math.round(plot.valToPos(at, "x", true));
    plot.ctx.save();
    plot.ctx.strokeStyle = token("--ink-3");
    plot.ctx.lineWidth = 2;
    plot.ctx.setLineDash([3, 5]);
    plot.ctx.beginPath();
    plot.ctx.moveTo(x, plot.bbox.top);
    plot.ctx.lineTo(x, plot.bbox.top + plot.bbox.height);
    plot.ctx.stroke();
    plot.ctx.restore();
  }

  function draw(figure) {
    const data = JSON.parse(figure.querySelector("script").textContent);
    const place = figure.querySelector(".plot");
    const say = units[data.unit] || number;
    const short = data.to - data.from > 2 * 86400 ? clock({ day: "numeric", month: "short" }) : clock({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    const axis = {
      stroke: token("--ink-3"),
      grid: { stroke: token("--line"), width: 1 },
      ticks: { stroke: token("--line"), width: 1 },
      font: "12px system-ui, sans-serif",
    };
    const options = {
      width: place.clientWidth,
      height: 220,
      scales: {
        x: { min: data.from, max: data.to },
        y: { range: (_, least, most) => [Math.min(least, 0), data.unit === "percent" ? 100 : Math.max(most * 1.1, 1)] },
      },
      cursor: { drag: { x: false, y: false } },
      // Until somebody points at a time, the newest is told.
      hooks: {
        ready: [(plot) => plot.setLegend({ idx: data.times.length - 1 })],
        draw: [(plot) => (data.breaks || []).forEach((one) => rule(plot, one.at))],
      },
      axes: [
        { ...axis, space: 64, values: (_, all) => all.map(short) },
        { ...axis, size: 84, values: (_, all) => all.map(say) },
      ],
      series: [
        { label: figure.dataset.time, value: (_, v) => (v == null ? "–" : whole(v)) },
        ...data.lines.map((line, i) => ({
          label: line.label,
          stroke: token(lines[i % lines.length]),
          dash: dashes[i % dashes.length],
          width: 2,
          points: { show: data.times.length < 30 },
          value: (_, v) => (v == null ? "–" : say(v)),
        })),
      ],
    };
    place.replaceChildren();
    return new uPlot(options, [data.times, ...data.lines.map((line) => line.values)], place);
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const figure of document.querySelectorAll("figure.chart[data-time]")) {
      const one = { figure, plot: draw(figure) };
      drawn.push(one);
      figure.querySelector("details").open = false;
      new ResizeObserver(() => {
        const width = figure.querySelector(".plot").clientWidth;
        if (width > 0 && width !== one.plot.width) one.plot.setSize({ width, height: 220 });
      }).observe(figure.querySelector(".plot"));
    }
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const one of drawn) {
      one.plot.destroy();
      one.plot = draw(one.figure);
    }
  });
})();
