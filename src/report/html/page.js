'use strict';
// What a page without scripts has already: all figures and texts. This adds sorting, rows for phones, zooming and saving.
for (const table of document.querySelectorAll('table.sort')) {
  const heads = [...table.tHead.rows[0].cells];
  if (heads.length > 5) { // on a phone each row is a list of its own
    table.classList.add('wide-table');
    for (const row of table.tBodies[0].rows) [...row.cells].forEach((cell, i) => { cell.dataset.k = heads[i].textContent; });
  }
  heads.forEach((head, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener('click', () => {
      const down = head.getAttribute('aria-sort') !== 'descending';
      for (const other of heads) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      const key = row => {
        const cell = row.cells[column];
        return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
      };
      const order = (a, b) => (typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b)));
      const rows = [...table.tBodies[0].rows].sort((a, b) => (down ? -1 : 1) * order(key(a), key(b)));
      table.tBodies[0].append(...rows);
    });
  });
}

for (const picture of document.querySelectorAll('.picture')) {
  const svg = picture.querySelector('svg'), width = Number(svg.getAttribute('width')), height = Number(svg.getAttribute('height'));
  let zoom = 1;
  const show = next => {
    const before = zoom;
    zoom = Math.min(4, Math.max(0.05, next));
    const x = picture.scrollLeft + picture.clientWidth / 2, y = picture.scrollTop + picture.clientHeight / 2;
    svg.setAttribute('width', width * zoom);
    svg.setAttribute('height', height * zoom);
    picture.scrollTo(x * zoom / before - picture.clientWidth / 2, y * zoom / before - picture.clientHeight / 2);
  };
  const tools = document.createElement('div');
  tools.className = 'tools';
  const fit = () => Math.min(1, picture.clientWidth / width, picture.clientHeight / height);
  for (const [name, step] of [['Zoom in', () => zoom * 1.4], ['Zoom out', () => zoom / 1.4], ['Whole', fit], ['1 : 1', () => 1]]) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = name;
    button.addEventListener('click', () => show(step()));
    tools.append(button);
  }
  picture.before(tools);
  picture.addEventListener('wheel', event => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    show(zoom * Math.exp(-event.deltaY / 300));
  }, {passive: false});
  let drag = null;
  picture.addEventListener('pointerdown', event => {
    if (event.pointerType === 'mouse') drag = {x: event.clientX, y: event.clientY, left: picture.scrollLeft, top: picture.scrollTop};
  });
  addEventListener('pointermove', event => {
    if (drag) picture.scrollTo(drag.left - event.clientX + drag.x, drag.top - event.clientY + drag.y);
  });
  addEventListener('pointerup', () => { drag = null; });
}

const save = document.getElementById('save');
save.hidden = false;
save.addEventListener('click', () => {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([document.getElementById('figures').textContent], {type: 'application/json'}));
  link.download = 'edgec-report.json';
  link.click();
});
