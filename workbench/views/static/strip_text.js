// The text of a strip as pieces on a page. Long texts are cut into blocks, and a block gets its elements only when it
// comes near the window: 20,000 tokens cost what a screenful costs. Text from data only ever becomes a text node.

export function signed(value, digits = 2) {
  const size = Math.abs(value).toFixed(digits);
  return Number.isNaN(value) ? "–" : Number(size) === 0 ? size : (value < 0 ? "−" : "+") + size;
}

/** A piece with signs for white space that could not be seen alone (as `blanks` in strip/text.py). */
export function blanks(piece) {
  const shown = /\S/.test(piece) ? piece : piece.replaceAll(" ", "␠");
  return shown.replaceAll("\n", "↵\n").replaceAll("\t", "⇥") || "∅";
}

const BLOCK = 300; // pieces; a block ends where the next sentence begins after so many
const FAR = "600px"; // how far outside the window a block is drawn already

/** One view of the text. `look(piece)` says how a piece is drawn, `folds` which runs of quiet sentences are closed. */
export class Pane {
  constructor(id, name, act) {
    Object.assign(this, { id, name, act, blocks: [], seen: new Set(), folds: null });
    this.element = h("div", { class: "wbt-text", role: "listbox", tabindex: "0", "aria-label": name, "data-pane": id });
    this.near = new IntersectionObserver((entries) => this.arrive(entries), { root: this.element, rootMargin: FAR });
  }

  /** Cut the text of a level into blocks; nothing is drawn yet. */
  cut(text, level) {
    Object.assign(this, { text, level });
    this.near.disconnect();
    this.seen.clear();
    this.blocks = [];
    const last = level.start.length;
    for (let from = 0; from < last || !this.blocks.length; ) {
      let to = Math.min(from + BLOCK, last);
      while (to < last && to < from + 2 * BLOCK && !level.begins[to]) to++;
      if (last - to < BLOCK / 2) to = last;
      this.blocks.push({ from, to, element: h("div", { class: "wbt-block", role: "presentation", dir: "auto", "data-block": this.blocks.length }), drawn: -1 });
      from = to;
      if (!last) break;
    }
    this.element.replaceChildren(...this.blocks.map((block) => block.element));
    this.guess();
    this.blocks.forEach((block) => this.near.observe(block.element));
  }

  /** Heights of blocks that are not drawn yet, from their share of the text, so that the scroll bar tells the truth. */
  guess() {
    const size = parseFloat(getComputedStyle(this.element).fontSize) || 20;
    const line = Math.max(20, (this.element.clientWidth || 800) / (0.55 * size));
    for (const block of this.blocks)
      if (block.drawn < 0) block.element.style.minHeight = `${Math.ceil((this.from(block.to) - this.from(block.from)) / line) * 1.9}em`;
  }
  from(piece) {
    return piece < this.level.start.length ? this.level.start[piece] : this.text.length;
  }

  arrive(entries) {
    for (const entry of entries) {
      const block = this.blocks[Number(entry.target.dataset.block)];
      if (!block || block.element !== entry.target) continue;
      entry.isIntersecting ? this.seen.add(block) : this.seen.delete(block);
      if (entry.isIntersecting) this.fill(block);
    }
  }

  /** Draw anew: what is near the window now, the rest when it comes. */
  draw(look, version, folds) {
    Object.assign(this, { look, version, folds });
    if (!this.seen.size) this.seen.add(this.blocks[0]); // before the observer has spoken
    this.seen.forEach((block) => this.fill(block));
  }
  all() {
    this.blocks.forEach((block) => this.fill(block));
  }

  fill(block) {
    if (block.drawn === this.version || !this.look) return;
    block.drawn = this.version;
    const { text, level } = this;
    const nodes = [];
    let at = block.from ? level.end[block.from - 1] : 0;
    for (let piece = block.from; piece < block.to; piece++) {
      const run = this.folds && this.folds.of[piece];
      if (run > 0 && !this.folds.open.has(run)) {
        if (piece === this.folds.first[run]) nodes.push(" ", this.fold(run), " ");
        at = level.end[piece];
        continue;
      }
      let gap = text.slice(at, level.start[piece]);
      if (piece === block.from && block.from) gap = gap.replace(/^\s+/, ""); // the block begins a line by itself
      if (gap) nodes.push(gap);
      nodes.push(this.piece(piece));
      at = level.end[piece];
    }
    if (block.to === level.start.length) nodes.push(text.slice(at));
    block.element.replaceChildren(...nodes);
    block.element.style.minHeight = "";
  }

  piece(piece) {
    const { kind, label, number, mark, pinned } = this.look(piece);
    const shown = blanks(this.text.slice(this.level.start[piece], this.level.end[piece]));
    const element = h("span", { class: `wbt-w ${kind}`, role: "option", id: `${this.id}-${piece}`, "data-p": piece, "aria-label": label, "aria-selected": String(pinned) }, shown);
    if (mark) element.prepend(h("sup", { "aria-hidden": "true" }, mark));
    if (number) element.append(h("sub", { "aria-hidden": "true" }, number));
    return element;
  }

  fold(run) {
    const count = this.folds.count[run];
    return h("button", { class: "wbt-fold", "data-fold": run, title: "show them" }, `… ${count} quiet ${this.level.name}s …`);
  }

  /** The element of a piece, drawn if it was not. */
  at(piece) {
    const block = this.blocks.find((one) => piece < one.to);
    if (!block) return null;
    this.fill(block);
    return block.element.querySelector(`[data-p="${piece}"]`);
  }

  /** The piece under or over this one, a line away, nearest to it from left to right. */
  line(piece, step) {
    const here = this.at(piece).getClientRects()[0];
    const middle = here.left + here.width / 2;
    let [best, gap, top] = [piece, Infinity, null];
    for (let next = piece + step, tries = 0; next >= 0 && next < this.level.start.length && tries < 2000; next += step, tries++) {
      const box = this.at(next)?.getClientRects()[0];
      if (!box || Math.abs(box.top - here.top) < here.height / 2) continue;
      top ??= box.top;
      if (Math.abs(box.top - top) > here.height / 2) break;
      const away = Math.abs(box.left + box.width / 2 - middle);
      if (away < gap) [best, gap] = [next, away];
    }
    return best;
  }

  close() {
    this.near.disconnect();
  }
}

/** What is drawn in `element` on a canvas: backgrounds, lines and text where the browser has put them. */
export function picture(element, paper, scale = 2) {
  const frame = element.getBoundingClientRect();
  const canvas = h("canvas", { width: Math.ceil(frame.width * scale), height: Math.ceil(frame.height * scale) });
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  pen.fillStyle = paper;
  pen.fillRect(0, 0, frame.width, frame.height);
  pen.translate(-frame.left, -frame.top);
  for (const part of element.querySelectorAll("*")) {
    const style = getComputedStyle(part);
    const [line, left, top] = [style.borderBottomWidth, style.borderLeftWidth, style.borderTopWidth].map((width) => parseFloat(width) || 0);
    for (const box of part.getClientRects()) {
      pen.fillStyle = style.backgroundColor;
      pen.fillRect(box.left, box.top, box.width, box.height);
      pen.fillStyle = style.borderLeftColor;
      pen.fillRect(box.left, box.top, left, box.height);
      pen.fillStyle = style.borderTopColor;
      pen.fillRect(box.left, box.top, box.width, top);
      if (!line) continue;
      pen.strokeStyle = style.borderBottomColor;
      pen.lineWidth = line;
      pen.setLineDash(style.borderBottomStyle === "solid" ? [] : [3, 3]);
      pen.beginPath();
      pen.moveTo(box.left, box.bottom - line / 2);
      pen.lineTo(box.right, box.bottom - line / 2);
      pen.stroke();
    }
  }
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.data.trim()) continue;
    const style = getComputedStyle(node.parentElement);
    pen.font = `${style.fontStyle} ${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    pen.fillStyle = style.color;
    for (const [text, box] of lines(node, range)) {
      const size = pen.measureText(text);
      const spare = (box.height - size.fontBoundingBoxAscent - size.fontBoundingBoxDescent) / 2;
      pen.fillText(text, box.left, box.top + spare + size.fontBoundingBoxAscent);
    }
  }
  return canvas;
}

/** The parts of a text node that lie on one line each, with their boxes. */
function lines(node, range) {
  range.selectNodeContents(node);
  const boxes = range.getClientRects();
  if (boxes.length <= 1) return boxes.length ? [[node.data, boxes[0]]] : [];
  const found = [];
  for (const { segment, index } of new Intl.Segmenter().segment(node.data)) {
    range.setStart(node, index);
    range.setEnd(node, index + segment.length);
    const box = range.getClientRects()[0];
    if (!box || !segment.trim()) {
      if (found.length) found.at(-1)[0] += segment;
    } else if (found.length && Math.abs(found.at(-1)[1].top - box.top) < 2) found.at(-1)[0] += segment;
    else found.push([segment, box]);
  }
  return found;
}
