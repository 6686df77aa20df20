#!/usr/bin/env bash
# Creates the table films, with a stream of new and old images.
set -euo pipefail

exec aws dynamodb create-table \
  --endpoint-url http://127.0.0.1:8000 \
  --table-name films \
  --attribute-definitions AttributeName=title,AttributeType=S AttributeName=year,AttributeType=N \
  --key-schema AttributeName=title,KeyType=HASH AttributeName=year,KeyType=RANGE \
  --billing-mode PAY_PER_REQUEST \
  --stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES \
  "$@"
