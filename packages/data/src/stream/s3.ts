import { AwsClient } from "aws4fetch";

/**
 * What to ask for an address. Those of S3 become https ones, signed where the environment has credentials:
 * AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, AWS_REGION, and AWS_ENDPOINT_URL for other services
 * that speak S3's language.
 */
export async function signed(url: string, headers: Record<string, string>): Promise<Request> {
  if (!url.startsWith("s3://")) return new Request(url, { headers });
  const { env } = process;
  const region = env.AWS_REGION || env.AWS_DEFAULT_REGION || "us-east-1";
  const address = addressOf(url, region, env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL);
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env;
  if (!accessKeyId || !secretAccessKey) return new Request(address, { headers });
  const sessionToken = env.AWS_SESSION_TOKEN || undefined;
  const client = new AwsClient({ accessKeyId, secretAccessKey, sessionToken, region, service: "s3" });
  return client.sign(address, { headers });
}

function addressOf(url: string, region: string, endpoint: string | undefined): string {
  const [, bucket, key] = /^s3:\/\/([^/]+)\/(.*)$/.exec(url) ?? [];
  if (!bucket) throw new Error(`${url}: write s3://bucket/folder`);
  const path = key.split("/").map(encodeURIComponent).join("/");
  return endpoint
    ? `${endpoint.replace(/\/+$/, "")}/${bucket}/${path}`
    : `https://${bucket}.s3.${region}.amazonaws.com/${path}`;
}
