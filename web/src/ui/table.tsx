// Table: sortable, filterable, exportable; draws only the rows in sight, so 100,000 scroll.
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { param, setParams } from "../app/router";
import { CliButton, closeOnLeave, copy, formatNumber, Search } from "./basic";

export interface Column<T> {
  id: string;
  title: string;
  // What is shown; by default the text of `value`.
  cell?: (row: T) => ComponentChildren;
  // What is sorted, filtered and exported.
  value: (row: T) => string | number | undefined;
  numeric?: boolean;
  width?: string;
}

const rowHeight = 34;
const overscan = 12;

interface TableProps<T> {
  label: string;
  columns: Column<T>[];
  rows: T[];
  rowKey: (row: T, index: number) => string;
  onRow?: (row: T) => void;
  filter?: string;
  sort?: { by: string; down: boolean };
  height?: number;
  selected?: (row: T) => boolean;
}

export function Table<T>(props: TableProps<T>) {
  const [sort, setSort] = useState(props.sort);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(props.height ?? 600);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!box.current) return;
    const observer = new ResizeObserver(() => setHeight(box.current?.clientHeight ?? 600));
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);

  const rows = useMemo(() => {
    const needle = (props.filter ?? "").toLowerCase();
    const kept = needle
      ? props.rows.filter((row) => props.columns.some((c) => String(c.value(row) ?? "").toLowerCase().includes(needle)))
      : props.rows;
    const column = props.columns.find((c) => c.id === sort?.by);
    if (!column) return kept;
    const sign = sort?.down ? -1 : 1;
    return [...kept].sort((a, b) => {
      const x = column.value(a);
      const y = column.value(b);
      if (x === y) return 0;
      if (x === undefined) return 1;
      if (y === undefined) return -1;
      return typeof x === "number" && typeof y === "number" ? (x - y) * sign : String(x).localeCompare(String(y), "en", { numeric: true }) * sign;
    });
  }, [props.rows, props.filter, sort, props.columns]);

  const first = Math.max(0, Math.floor(top / rowHeight) - overscan);
  const last = Math.min(rows.length, Math.ceil((top + height) / rowHeight) + overscan);
  // Arrow keys walk the rows that can be opened, Enter opens.
  const onKey = (e: KeyboardEvent) => {
    const down = e.key === "ArrowDown";
    if (!props.onRow || !(down || e.key === "ArrowUp")) return;
    const all = [...box.current!.querySelectorAll<HTMLElement>("tr.clickable")];
    const next = all[all.indexOf(document.activeElement as HTMLElement) + (down ? 1 : -1)] ?? (down ? all[0] : undefined);
    if (!next) return;
    next.focus();
    e.preventDefault();
  };
  const turn = (id: string) => setSort((old) => (old?.by === id ? { by: id, down: !old.down } : { by: id, down: false }));
  return (
    <div class="table-box" ref={box} style={props.height ? { maxHeight: `${props.height}px` } : {}} onScroll={(e) => setTop(e.currentTarget.scrollTop)} onKeyDown={onKey} tabIndex={0} role="region" aria-label={props.label}>
      <table aria-rowcount={rows.length + 1}>
        <thead>
          <tr>
            {props.columns.map((c) => c.title === "" ? <td class="head" /> : (
              <th scope="col" class={c.numeric ? "num" : ""} style={c.width ? { width: c.width } : {}} aria-sort={sort?.by === c.id ? (sort.down ? "descending" : "ascending") : "none"}>
                <button onClick={() => turn(c.id)}>
                  {c.title}
                  <span aria-hidden="true">{sort?.by === c.id ? (sort.down ? " ▾" : " ▴") : ""}</span>
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {first > 0 && <tr aria-hidden="true" style={{ height: `${first * rowHeight}px` }} />}
          {rows.slice(first, last).map((row, i) => (
            <tr
              key={props.rowKey(row, first + i)}
              aria-rowindex={first + i + 2}
              class={(props.onRow ? "clickable" : "") + (props.selected?.(row) ? " selected" : "")}
              tabIndex={props.onRow ? -1 : undefined}
              onKeyDown={props.onRow && ((e) => e.key === "Enter" && e.target === e.currentTarget && props.onRow!(row))}
              onClick={props.onRow && ((e) => !(e.target as Element).closest("a,button,input") && props.onRow!(row))}
            >
              {props.columns.map((c) => (
                <td class={c.numeric ? "num" : ""}>{c.cell ? c.cell(row) : c.value(row)}</td>
              ))}
            </tr>
          ))}
          {last < rows.length && <tr aria-hidden="true" style={{ height: `${(rows.length - last) * rowHeight}px` }} />}
        </tbody>
      </table>
      {rows.length === 0 && <p class="none">Nothing to show.</p>}
    </div>
  );
}

// Spreadsheets execute cells that begin with these; an apostrophe makes them text.
const csvCell = (value: unknown) => {
  const text = String(value ?? "");
  const safe = /^[=+\-@\t\r]/.test(text) && !/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text) ? "'" + text : text;
  return /[",\n\r]/.test(safe) ? '"' + safe.replaceAll('"', '""') + '"' : safe;
};

export function toCsv(titles: string[], rows: unknown[][]): string {
  return [titles, ...rows].map((row) => row.map(csvCell).join(",")).join("\r\n") + "\r\n";
}

export function download(name: string, type: string, content: BlobPart): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

export function ExportButtons<T>({ name, columns, rows }: { name: string; columns: Column<T>[]; rows: T[] }) {
  const named = columns.filter((c) => c.title);
  return (
    <>
      <button onClick={() => download(name + ".csv", "text/csv", toCsv(named.map((c) => c.title), rows.map((r) => named.map((c) => c.value(r)))))}>CSV</button>
      <button onClick={() => download(name + ".json", "application/json", JSON.stringify(rows, null, 2))}>JSON</button>
    </>
  );
}

// A column whose cells copy a resource's name.
export function arnColumn<T>(arn: (row: T) => string | undefined): Column<T> {
  return { id: "arn", title: "ARN", value: arn, cell: (r) => arn(r) && <button class="link" title={arn(r)} onClick={() => copy(arn(r)!)}>Copy ARN</button> };
}

function hiddenColumns(name: string): string[] {
  try {
    return JSON.parse(localStorage.getItem("fogwatch.columns." + name) ?? "[]") as string[];
  } catch {
    return [];
  }
}

// A table with what every list has: filter, count, columns to choose, export, the CLI line.
export function ListTable<T>(props: Omit<TableProps<T>, "filter"> & { name: string; cli?: string; extra?: ComponentChildren; param?: string }) {
  const { name, cli, extra, param: key = "filter", ...table } = props;
  const filter = param(key).value;
  const [hidden, setHidden] = useState(() => hiddenColumns(name));
  const columns = useMemo(() => props.columns.filter((c) => !hidden.includes(c.id)), [props.columns, hidden]);
  const turn = (id: string) => {
    const now = hidden.includes(id) ? hidden.filter((h) => h !== id) : [...hidden, id];
    setHidden(now);
    try {
      localStorage.setItem("fogwatch.columns." + name, JSON.stringify(now));
    } catch {
      // Without storage the choice lasts as long as the page.
    }
  };
  return (
    <>
      <div class="row toolbar">
        <Search label={`Filter ${props.label.toLowerCase()}`} value={filter} onInput={(v) => setParams({ [key]: v })} />
        {extra}
        <span class="grow" />
        <small>{formatNumber(props.rows.length)}</small>
        <details class="menu-box" onFocusOut={(e) => closeOnLeave(() => (e.currentTarget.open = false))(e)}>
          <summary>Columns</summary>
          <div class="popover" tabIndex={-1}>
            {props.columns.filter((c) => c.title).map((c) => (
              <label class="row"><input type="checkbox" checked={!hidden.includes(c.id)} onChange={() => turn(c.id)} /> {c.title}</label>
            ))}
          </div>
        </details>
        <ExportButtons name={name} columns={columns} rows={props.rows} />
        {cli && <CliButton line={cli} />}
      </div>
      <Table {...table} columns={columns} filter={filter} />
    </>
  );
}
