/**
 * The answer of a call, or an error when it takes longer. The call itself continues: its effects must be safe when they come late.
 *
 * @throws Error that names the waiting time
 */
export async function withTimeLimit<Value>(call: Promise<Value>, milliseconds: number): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer within ${milliseconds / 1000} s`));
    }, milliseconds);
  });
  try {
    return await Promise.race([call, late]);
  } finally {
    clearTimeout(timer);
  }
}
