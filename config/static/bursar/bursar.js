"use strict";
/* Bursar's own behaviour in the admin: parts of a page that refresh themselves, charts, and selecting rows. */
(() => {
  const COLOURS = { Revenue: "#10b981", Spend: "#94a3b8", Profit: "#f59e0b", Refunds: "#f87171", Paid: "#10b981", Expected: "#94a3b8", Score: "#f59e0b" };
  const charts = new Map();

  function figure(value, currency) {
    if (value === null) return "unknown";
    const digits = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
    return `${value.toLocaleString("en", digits)} ${currency}`;
  }

  function options(currency, isFirst) {
    const isDark = document.documentElement.classList.contains("dark");
    const text = isDark ? "#94a3b8" : "#64748b";
    const grid = isDark ? "rgba(148,163,184,.12)" : "rgba(100,116,139,.14)";
    return {
      animation: isFirst ? { duration: 400 } : false,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      plugins: {
        legend: { position: "bottom", labels: { color: text, boxWidth: 12, boxHeight: 12, usePointStyle: true } },
        tooltip: { callbacks: { label: (item) => `${item.dataset.label}: ${figure(item.parsed.y, currency)}` } },
      },
      scales: {
        x: { ticks: { color: text, maxTicksLimit: 12, maxRotation: 0 }, grid: { display: false } },
        y: { ticks: { color: text, maxTicksLimit: 6 }, grid: { color: grid }, title: { display: true, text: currency, color: text } },
      },
    };
  }

  function dataset(label, data) {
    const isLine = label === "Profit";
    return {
      type: isLine ? "line" : "bar", label, data, borderColor: COLOURS[label], backgroundColor: COLOURS[label],
      borderWidth: isLine ? 2 : 0, pointRadius: 0, tension: 0.3, borderRadius: 2, maxBarThickness: 40, order: isLine ? 0 : 1,
    };
  }

  function drawCharts(isFirst) {
    for (const [canvas, chart] of charts) {
      chart.destroy();
      charts.delete(canvas);
    }
    for (const canvas of document.querySelectorAll("canvas[data-chart]")) {
      const source = JSON.parse(document.getElementById(canvas.dataset.chart).textContent);
      const datasets = Object.entries(source.series).map(([label, data]) => dataset(label, data));
      charts.set(canvas, new Chart(canvas, { type: "bar", data: { labels: source.labels, datasets }, options: options(source.currency, isFirst) }));
    }
  }

  async function load(part) {
    const url = new URL(part.dataset.refresh, window.location.href);
    const version = part.querySelector("[data-version]");
    if (version) url.searchParams.set("seen", version.dataset.version);
    let answer;
    try {
      answer = await fetch(url, { credentials: "same-origin" });
    } catch {
      return; // offline for a moment: the next round tries again
    }
    if (answer.status !== 200 || answer.redirected) return;
    const html = await answer.text();
    if (html === part.shown) return;
    part.shown = html;
    part.innerHTML = html;
    if (part.querySelector("canvas[data-chart]")) drawCharts(false);
    noticeStaleList(part);
  }

  function keepFresh(part) {
    setTimeout(async () => {
      if (!document.hidden) await load(part);
      if (part.isConnected) keepFresh(part);
    }, Number(part.dataset.seconds) * 1000);
  }

  function noticeStaleList(part) {
    const notice = document.querySelector("[data-stale-notice]");
    const waiting = part.querySelector("[data-waiting]");
    if (notice && waiting) notice.hidden = waiting.dataset.waiting === notice.dataset.count;
  }

  function selection(form) {
    const all = form.querySelector("[data-check-all]");
    const count = form.querySelector("[data-selected]");
    const boxes = [...form.querySelectorAll("input[name=selected][type=checkbox]")];
    if (!all) return;
    const tell = () => {
      const chosen = boxes.filter((box) => box.checked).length;
      count.textContent = chosen ? `${chosen} selected` : "";
      all.checked = chosen > 0 && chosen === boxes.length;
      all.indeterminate = chosen > 0 && chosen < boxes.length;
    };
    all.addEventListener("change", () => {
      for (const box of boxes) box.checked = all.checked;
      tell();
    });
    form.addEventListener("change", tell);
    tell();
  }

  document.addEventListener("DOMContentLoaded", () => {
    drawCharts(true);
    document.querySelectorAll("[data-refresh]").forEach(keepFresh);
    document.querySelectorAll("[data-selection]").forEach(selection);
    let wasDark = document.documentElement.classList.contains("dark");
    new MutationObserver(() => {
      const isDark = document.documentElement.classList.contains("dark");
      if (isDark !== wasDark) drawCharts(false);
      wasDark = isDark;
    }).observe(document.documentElement, { attributeFilter: ["class"] });
  });
})();
