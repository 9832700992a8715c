// useLoad: reads from the server and keeps the state of the reading in one value.
//
// The last good value stays on screen while the next is read, so that nothing flickers on refresh.
import { useEffect, useRef, useState } from "preact/hooks";

import { ApiError } from "../api/client";

export interface Loaded<T> {
  value: T | undefined;
  error: ApiError | undefined;
  loading: boolean;
  reload: () => void;
}

export function useLoad<T>(read: (signal: AbortSignal) => Promise<T>, dependencies: unknown[]): Loaded<T> {
  const [state, setState] = useState<Omit<Loaded<T>, "reload">>({ value: undefined, error: undefined, loading: true });
  const [round, setRound] = useState(0);
  const latest = useRef(read);
  latest.current = read;
  useEffect(() => {
    const abort = new AbortController();
    setState((old) => ({ ...old, loading: true }));
    latest.current(abort.signal).then(
      (value) => !abort.signal.aborted && setState({ value, error: undefined, loading: false }),
      (error: unknown) => !abort.signal.aborted && setState((old) => ({ value: old.value, error: asApiError(error), loading: false })),
    );
    return () => abort.abort();
  }, [...dependencies, round]);
  return { ...state, reload: () => setRound((n) => n + 1) };
}

export function asApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError("ConsoleError", String(error), "", 0);
}
